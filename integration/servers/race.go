//go:build race

package servers

// Raced tells whether tests, and the gateway that they build, run under the race detector.
const Raced = true
