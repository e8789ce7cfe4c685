package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"baton/config"
)

type service struct {
	Image       string
	User        string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	Privileged  bool
	PidsLimit   int    `yaml:"pids_limit"`
	MemLimit    string `yaml:"mem_limit"`
	NetworkMode string `yaml:"network_mode"`
	Ports       []string
	Volumes     []string
	Networks    []string
}

// What a scanner of containers would ask of the stack, where none can be run.
func TestContainersAreHeldToAPolicy(t *testing.T) {
	var stack struct{ Services map[string]service }
	if err := yaml.Unmarshal([]byte(read(t, "docker/compose.yml")), &stack); err != nil {
		t.Fatal(err)
	}
	if len(stack.Services) < 6 {
		t.Fatalf("%d services", len(stack.Services))
	}
	pinned := regexp.MustCompile(`^\$\{[A-Z_]+:-[a-z0-9._/-]+:(v?[0-9][\w.-]*|local)\}$`)
	for name, s := range stack.Services {
		for what, ok := range map[string]bool{
			"an image of a fixed version": pinned.MatchString(s.Image),
			"a user that is a number":     regexp.MustCompile(`^[1-9][0-9]*:[0-9]+$`).MatchString(s.User),
			"a read-only file system":     s.ReadOnly,
			"no capabilities":             slices.Equal(s.CapDrop, []string{"ALL"}) && s.CapAdd == nil && !s.Privileged,
			"no new privileges":           slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
			"limits":                      s.PidsLimit > 0 && s.MemLimit != "",
			"networks of its own":         s.NetworkMode == "" && len(s.Networks) > 0,
		} {
			if !ok {
				t.Errorf("%s lacks %s", name, what)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") && port != "0.0.0.0:${HTTP_PORT:-80}:80" {
				t.Errorf("%s publishes %s", name, port)
			}
		}
		for _, volume := range s.Volumes {
			if strings.Contains(volume, "docker.sock") || strings.HasPrefix(volume, "/") {
				t.Errorf("%s mounts %s", name, volume)
			}
		}
	}
}

func TestTheImageIsHeldToAPolicy(t *testing.T) {
	text := read(t, "docker/Dockerfile")
	final := text[strings.LastIndex(text, "\nFROM "):]
	for what, pattern := range map[string]string{
		"builds on nothing":                `^\nFROM scratch\n`,
		"runs as a number that isn't root": `\nUSER [1-9][0-9]*:[1-9][0-9]*\n`,
		"has a health check":               `\nHEALTHCHECK .*CMD \["/baton", "healthcheck"\]\n`,
		"starts without a shell":           `\nENTRYPOINT \["/baton"\]\n`,
	} {
		if !regexp.MustCompile(pattern).MatchString(final) {
			t.Errorf("it is not true that the image %s", what)
		}
	}
	if !regexp.MustCompile(`\nARG BUILDER_IMAGE=golang:[0-9]+\.[0-9]+\.[0-9]+-alpine\n`).MatchString(text) {
		t.Error("the builder is not of one version")
	}
	for _, line := range []string{"ADD ", "curl ", "wget ", ":latest", "--no-check", "chmod 777"} {
		if strings.Contains(text, line) {
			t.Errorf("docker/Dockerfile has %q", line)
		}
	}
}

// The overlay may hand on as a file what the binary reads from one, and takes the value away that it replaces.
func TestSecretsOverlay(t *testing.T) {
	var overlay struct {
		Services map[string]struct {
			Secrets     []string
			Environment map[string]string
		}
		Secrets map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "docker/compose.secrets.yml")), &overlay); err != nil {
		t.Fatal(err)
	}
	for _, color := range []string{"app_blue", "app_green"} {
		s := overlay.Services[color]
		for _, secret := range s.Secrets {
			name := strings.ToUpper(secret)
			value, replaced := s.Environment[name]
			if overlay.Secrets[secret] == nil || !replaced || value != "" || s.Environment[name+"_FILE"] != "/run/secrets/"+secret {
				t.Errorf("%s: %s is not wholly from a file", color, name)
			}
			if !slices.ContainsFunc(config.Variables(), func(v config.Variable) bool { return v.Name == name }) {
				t.Errorf("%s: nothing reads %s", color, name)
			}
		}
		if len(s.Secrets) == 0 {
			t.Errorf("%s has no secrets", color)
		}
	}
}
