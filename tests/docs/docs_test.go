// Package docs holds what is written for people against what is there:
// variables, defaults, links, make targets.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"baton/config"
)

const root = "../.."

func TestEnvExampleShowsEveryVariableWithItsDefault(t *testing.T) {
	shown := envExample(t)
	for name, value := range known(t) {
		got, found := shown[name]
		switch {
		case !found:
			t.Errorf(".env.example lacks %s", name)
		case got != value:
			t.Errorf(".env.example: %s=%s, the default is %q", name, got, value)
		}
	}
	for name := range shown {
		if _, found := known(t)[name]; !found {
			t.Errorf(".env.example has %s, which nothing reads", name)
		}
	}
}

func TestConfigurationPageShowsEveryVariableWithItsDefault(t *testing.T) {
	shown := configurationPage(t)
	for name, value := range known(t) {
		got, found := shown[name]
		switch {
		case !found:
			t.Errorf("docs/configuration.md lacks %s", name)
		case got != value:
			t.Errorf("docs/configuration.md: default of %s is %q, it should be %q", name, got, value)
		}
	}
	for name := range shown {
		if _, found := known(t)[name]; !found {
			t.Errorf("docs/configuration.md has %s, which nothing reads", name)
		}
	}
}

// What compose does not hand on can't be set in a deployment.
func TestComposeHandsOnEveryVariable(t *testing.T) {
	compose := read(t, "docker/compose.yml")
	own := map[string]bool{"HOST": true, "PORT": true} // the image's own: it listens on 0.0.0.0:8000
	for _, v := range config.Variables() {
		if !own[v.Name] && !regexp.MustCompile(`(?m)^\s+`+v.Name+`: `).MatchString(compose) {
			t.Errorf("docker/compose.yml does not set or hand on %s", v.Name)
		}
	}
}

func TestLinksAndMakeTargetsExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	target := regexp.MustCompile("(?m)(?:^ {4}\\$? ?|`)make ([a-z][a-z0-9-]*)")
	makefile := read(t, "Makefile")
	for _, page := range pages(t) {
		text := read(t, page)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
		for _, m := range target.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which the Makefile lacks", page, m[1])
			}
		}
	}
}

// known is every variable that is read, with its default: the server's, those
// of compose, and those that only the scripts read. BATON_… are not for users.
func known(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"ACTIVE_ENV": "blue"}
	for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)_DEFAULT="(.*)"$`).FindAllStringSubmatch(read(t, "scripts/lib/dynamic.sh"), -1) {
		all[m[1]] = m[2]
	}
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)(?::-([^}]*))?`).FindAllStringSubmatch(read(t, "docker/compose.yml"), -1) {
		if !strings.HasPrefix(m[1], "BATON_") {
			all[m[1]] = m[2]
		}
	}
	for _, v := range config.Variables() {
		all[v.Name] = v.Default
	}
	return all
}

func envExample(t *testing.T) map[string]string {
	t.Helper()
	shown := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^#?([A-Z_]+)=(.*)$`).FindAllStringSubmatch(read(t, ".env.example"), -1) {
		shown[m[1]] = m[2]
	}
	return shown
}

// configurationPage reads the tables: | `NAME`[, `NAME`] | `default` or nothing | meaning |.
func configurationPage(t *testing.T) map[string]string {
	t.Helper()
	shown := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| ((?:`[A-Z_]+`(?:, )?)+) \\| *(?:`([^`]*)`)? *\\|")
	for _, m := range row.FindAllStringSubmatch(read(t, "docs/configuration.md"), -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			shown[strings.Trim(name, "`")] = m[2]
		}
	}
	return shown
}

func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range found {
		list = append(list, filepath.Join("docs", filepath.Base(page)))
	}
	return list
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
