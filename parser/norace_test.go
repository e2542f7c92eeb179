//go:build !race

package parser_test

const scale = 1
