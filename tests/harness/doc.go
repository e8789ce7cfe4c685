// Package harness runs the built binary, a real Redis and hand-made WebSocket peers for the black-box tests.
//
// Nothing in it imports the service: what the tests know is what a stranger on the network knows.
package harness
