//go:build race

package wire

// raced: the race detector drops a part of what is put into pools.
const raced = true
