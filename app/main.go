// Command baton serves WebSocket sessions that survive deploys, and carries
// the tools that check and switch it.
package main

import (
	"os"

	"baton/app/baton"
)

func main() { os.Exit(baton.Main(os.Args[1:], baton.Counts)) }
