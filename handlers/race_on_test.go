//go:build race

package handlers

// raced: the race detector has pools forget at random, which costs allocations.
const raced = true
