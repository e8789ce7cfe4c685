// Command generate writes the Grafana dashboards: one source for what they share, plain JSON for Grafana.
//
//	go generate ./grafana/...
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . ../dashboards

// readable by everybody: Grafana's container reads the files as another user.
const readable = 0o644

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	for _, d := range []dashboard{overview(), promotion(), service(), redisAndTraefik()} {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false) // `>` in an expression stays readable
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(d.json()); err != nil {
			return fmt.Errorf("encode %s: %w", d.name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, d.name+".json"), text.Bytes(), readable); err != nil {
			return fmt.Errorf("write %s: %w", d.name, err)
		}
	}
	return nil
}
