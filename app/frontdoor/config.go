// Package frontdoor is a small reverse proxy that reads Traefik's dynamic file,
// for machines without Traefik. It knows the part of that file which the
// project uses: routers (Path, PathPrefix, PathRegexp, joined by ||), the
// middlewares ipAllowList, stripPrefix, headers and retry, and services with
// servers or one weighted name. What it does not know is an error, not a guess.
package frontdoor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"go.yaml.in/yaml/v3"
)

// errEmpty is a dynamic file without content: one that is being written.
var errEmpty = errors.New("the dynamic file is empty")

// config is the dynamic file, in Traefik's shape.
type config struct {
	HTTP struct {
		Routers     map[string]routerConfig     `yaml:"routers"`
		Middlewares map[string]middlewareConfig `yaml:"middlewares"`
		Services    map[string]serviceConfig    `yaml:"services"`
	} `yaml:"http"`
}

type routerConfig struct {
	Rule        string   `yaml:"rule"`
	Priority    int      `yaml:"priority"`
	EntryPoints []string `yaml:"entryPoints"`
	Middlewares []string `yaml:"middlewares"`
	Service     string   `yaml:"service"`
}

type middlewareConfig struct {
	IPAllowList *struct {
		SourceRange []string `yaml:"sourceRange"`
	} `yaml:"ipAllowList"`
	StripPrefix *struct {
		Prefixes []string `yaml:"prefixes"`
	} `yaml:"stripPrefix"`
	Headers *headersConfig `yaml:"headers"`
	Retry   *struct {
		Attempts        int    `yaml:"attempts"`
		InitialInterval string `yaml:"initialInterval"`
	} `yaml:"retry"`
}

type headersConfig struct {
	ContentTypeNosniff    bool              `yaml:"contentTypeNosniff"`
	FrameDeny             bool              `yaml:"frameDeny"`
	ReferrerPolicy        string            `yaml:"referrerPolicy"`
	CustomResponseHeaders map[string]string `yaml:"customResponseHeaders"`
}

type serviceConfig struct {
	LoadBalancer *struct {
		Servers []struct {
			URL string `yaml:"url"`
		} `yaml:"servers"`
	} `yaml:"loadBalancer"`
	Weighted *struct {
		Services []struct {
			Name   string `yaml:"name"`
			Weight *int   `yaml:"weight"`
		} `yaml:"services"`
	} `yaml:"weighted"`
}

// readDynamic returns the bytes of a dynamic file, or of all files *.yml and
// *.yaml of a directory, in the order of their names.
func readDynamic(path string) ([][]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("dynamic file: %w", err)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = yamlFiles(path); err != nil {
			return nil, fmt.Errorf("dynamic directory: %w", err)
		}
	}
	contents := make([][]byte, 0, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("dynamic file: %w", err)
		}
		contents = append(contents, content)
	}
	return contents, nil
}

func yamlFiles(dir string) ([]string, error) {
	var files []string
	for _, pattern := range []string{"*.yml", "*.yaml"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	sort.Strings(files)
	return files, nil
}

// parse merges the files into one configuration.
func parse(contents [][]byte) (*config, error) {
	merged := &config{}
	for _, content := range contents {
		if len(bytes.TrimSpace(content)) == 0 {
			return nil, errEmpty
		}
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		decoder.KnownFields(true)
		if err := decoder.Decode(merged); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("parse the dynamic file: %w", err)
		}
	}
	if len(merged.HTTP.Routers) == 0 {
		return nil, errEmpty
	}
	return merged, nil
}
