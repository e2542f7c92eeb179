//go:build !race

package servers

const racedHere = false
