//go:build race

package servers

// raceEnabled: the gateway is built with the race detector when the tests are.
const raceEnabled = true
