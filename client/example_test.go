package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"baton/client"
)

// A program that reports three events and does not end before they are
// counted and stored, whatever happens to the server meanwhile.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{
		URL: "ws://localhost:8000/ws/chat/",
		Events: client.Events{
			Ack: func(a client.Ack) { fmt.Println("counted as", a.Count, "in", a.Latency) },
			Gap: func(g client.Gap) { fmt.Println("moved, without a connection for", g.Duration) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, event := range []string{"started", "worked", "stopped"} {
		if _, err := c.Send(ctx, event); err != nil {
			log.Print(err)
		}
	}
	if err := c.Flush(ctx); err != nil {
		log.Print(err)
	}
	_ = c.Close(ctx)
}

// A program that goes on after its own restart: it keeps the snapshot where
// it keeps its other state.
func ExampleClient_Snapshot() {
	ctx := context.Background()
	before, err := client.Dial(ctx, client.Config{URL: "ws://localhost:8000/ws/chat/"})
	if err != nil {
		log.Fatal(err)
	}
	_ = before.Close(ctx)
	snapshot := before.Snapshot() // encoding/json can store it

	after, err := client.Dial(ctx, client.Config{URL: "ws://localhost:8000/ws/chat/", Resume: &snapshot})
	if err != nil {
		log.Fatal(err)
	}
	_ = after.Close(ctx)
}
