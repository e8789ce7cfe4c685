// schemas writes what kubeconform needs to know into a folder: a JSON schema for each kind of Kubernetes and of the custom
// resources that crds.txt names, GROUP_VERSION_KIND.json, out of the Go modules that hold them. No field but the ones they name
// is let through.
//
// usage: schemas FOLDER    (in .ci/kubernetes)
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// schema is any part of an OpenAPI or JSON schema.
type schema = map[string]any

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schemas FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return errors.Join(writeKubernetes(folder), writeCRDs(folder))
}

// kind is what x-kubernetes-group-version-kind says of a definition.
type kind struct{ Group, Version, Kind string }

// file is the name that kubeconform's template {{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json gives it. There the
// core group, which has no name, is called by its version.
func (k kind) file() string {
	if k.Group == "" {
		k.Group = k.Version
	}
	return fmt.Sprintf("%s_%s_%s.json", k.Group, k.Version, strings.ToLower(k.Kind))
}

// writeKubernetes takes the kinds out of the OpenAPI document of Kubernetes itself.
func writeKubernetes(folder string) error {
	dir, err := output("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "api/openapi-spec/swagger.json"))
	if err != nil {
		return err
	}
	var document struct{ Definitions map[string]schema }
	if err := json.Unmarshal(text, &document); err != nil {
		return err
	}
	for _, definition := range document.Definitions {
		encoded, _ := json.Marshal(definition["x-kubernetes-group-version-kind"])
		var kinds []kind
		if json.Unmarshal(encoded, &kinds) != nil || len(kinds) != 1 { // DeleteOptions and the like belong to all groups
			continue
		}
		whole := resolver{document.Definitions, map[string]bool{}}.resolve(definition)
		if err := writeSchema(folder, kinds[0], whole); err != nil {
			return err
		}
	}
	return nil
}

// writeCRDs takes the kinds out of CustomResourceDefinitions.
func writeCRDs(folder string) error {
	list, err := os.Open("crds.txt")
	if err != nil {
		return err
	}
	defer list.Close()
	for lines := bufio.NewScanner(list); lines.Scan(); {
		module, pattern, _ := strings.Cut(lines.Text(), " ")
		downloaded, err := output("go", "mod", "download", "-json", module)
		if err != nil {
			return fmt.Errorf("%s: %w", module, err)
		}
		var found struct{ Dir string }
		if err := json.Unmarshal(downloaded, &found); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(found.Dir, pattern))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("%s has no %s (%w)", module, pattern, err)
		}
		for _, file := range files {
			if err := writeCRD(folder, file); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

func writeCRD(folder, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd struct {
		Kind string
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return err
	}
	if crd.Kind != "CustomResourceDefinition" {
		return nil // a kustomization beside them
	}
	for _, version := range crd.Spec.Versions {
		whole := resolver{}.resolve(version.Schema.OpenAPIV3Schema)
		if err := writeSchema(folder, kind{crd.Spec.Group, version.Name, crd.Spec.Names.Kind}, whole); err != nil {
			return err
		}
	}
	return nil
}

func writeSchema(folder string, k kind, whole schema) error {
	text, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, k.file()), text, 0o600)
}

// resolver makes a schema whole and strict.
type resolver struct {
	definitions map[string]schema
	within      map[string]bool // the definitions that are being resolved, so that one that holds itself ends
}

const definitionPrefix = "#/definitions/"

func (r resolver) resolve(part schema) schema {
	if ref, ok := part["$ref"].(string); ok {
		return r.definition(strings.TrimPrefix(ref, definitionPrefix))
	}
	whole := maps.Clone(part)
	if part["x-kubernetes-int-or-string"] == true || part["format"] == "int-or-string" {
		return schema{"type": []string{"string", "number"}}
	}
	if part["nullable"] == true {
		if one, ok := part["type"].(string); ok {
			whole["type"] = []string{one, "null"}
		}
	}
	for _, key := range []string{"items", "additionalProperties", "not"} {
		if inner, ok := part[key].(schema); ok {
			whole[key] = r.resolve(inner)
		}
	}
	properties, ok := part["properties"].(schema)
	if !ok {
		return whole
	}
	resolved := schema{}
	for name, value := range properties {
		if inner, ok := value.(schema); ok {
			resolved[name] = r.resolve(inner)
		}
	}
	whole["properties"] = resolved
	if _, said := part["additionalProperties"]; !said && part["x-kubernetes-preserve-unknown-fields"] != true {
		whole["additionalProperties"] = false
	}
	return whole
}

// definition is resolved where it is used: kubeconform reads one file a kind.
func (r resolver) definition(name string) schema {
	switch {
	case strings.HasSuffix(name, ".api.resource.Quantity"): // "100m", or a bare 1, which the OpenAPI document does not say
		return schema{"type": []string{"string", "number"}}
	case r.within[name]:
		return schema{}
	}
	r.within[name] = true
	defer delete(r.within, name)
	return r.resolve(r.definitions[name])
}

func output(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	return cmd.Output()
}
