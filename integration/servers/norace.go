//go:build !race

package servers

// Raced: tests, and the gateway that they build, run under the race detector.
const Raced = false
