package baton

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// startCommand runs a sub-command until the test ends; the first line that it writes is returned.
func startCommand(t *testing.T, run func(context.Context, []string, streams) int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args, streams{out: writer, err: io.Discard})
		_ = writer.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if got := <-code; got != exitOK {
			t.Errorf("exit code %d after the end was asked for, want 0", got)
		}
	})
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatalf("nothing was said: %v", err)
	}
	return strings.TrimSpace(line)
}

func TestStoreKeepsTime(t *testing.T) {
	address := strings.TrimPrefix(startCommand(t, runStore, "--listen", "127.0.0.1:0"), "redis://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	replies := bufio.NewReader(conn)
	ask := func(question string) string {
		words := strings.Fields(question)
		_, _ = fmt.Fprintf(conn, "*%d\r\n", len(words))
		for _, word := range words {
			_, _ = fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(word), word)
		}
		reply, err := replies.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v", question, err)
		}
		return strings.TrimSpace(reply)
	}
	if got := ask("SET short x PX 500"); got != "+OK" {
		t.Fatalf("SET: %s", got)
	}
	ask("SET long x PX 600000")
	for deadline := time.Now().Add(10 * time.Second); ask("EXISTS short") != ":0"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a key outlived its time")
		}
	}
	if got := ask("EXISTS long"); got != ":1" {
		t.Errorf("a key whose time has not come: %s", got)
	}
}

func TestLocalStackCommandsRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(context.Context, []string, streams) int
		args []string
		code int
		said string
	}{
		"store with an argument":    {runStore, []string{"x"}, exitUsage, "no arguments"},
		"store on a bad address":    {runStore, []string{"--listen", "256.0.0.1:1"}, exitFailure, "listen"},
		"frontdoor without a file":  {runFrontdoor, nil, exitUsage, "--dynamic"},
		"frontdoor, file is absent": {runFrontdoor, []string{"--dynamic", "/nowhere/baton.yml"}, exitFailure, "dynamic file"},
		"frontdoor, bad address":    {runFrontdoor, []string{"--dynamic", "../../docker/traefik/dynamic", "--listen", "256.0.0.1:1"}, exitFailure, "listen"},
		"frontdoor, unknown flag":   {runFrontdoor, []string{"--nonsense"}, exitUsage, "nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			if code := c.run(t.Context(), c.args, streams{out: io.Discard, err: &said}); code != c.code || !strings.Contains(said.String(), c.said) {
				t.Errorf("exit code %d, %q; want %d and %q", code, said.String(), c.code, c.said)
			}
		})
	}
}

func TestFrontdoorSaysWhereItListens(t *testing.T) {
	address := strings.TrimPrefix(startCommand(t, runFrontdoor, "--dynamic", "../../docker/traefik/dynamic", "--listen", "127.0.0.1:0"), "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
