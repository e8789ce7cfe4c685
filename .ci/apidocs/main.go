// Command apidocs checks the form of the two documents that it is given: an
// AsyncAPI 3 one against the specification's own JSON Schema, and an OpenAPI
// 3.1 one against that specification's.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	schemas "github.com/asyncapi/spec-json-schemas/v6"
	"github.com/pb33f/libopenapi"
	openapi "github.com/pb33f/libopenapi-validator"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const asyncVersion = "3.0.0"

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: apidocs ASYNCAPI.yaml OPENAPI.yaml")
		os.Exit(2)
	}
	if err := errors.Join(checkAsync(os.Args[1]), checkOpen(os.Args[2])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func checkAsync(path string) error {
	document, err := read(path)
	if err != nil {
		return err
	}
	raw, err := schemas.Get(asyncVersion)
	if err != nil || raw == nil {
		return fmt.Errorf("the schema of AsyncAPI %s: %v", asyncVersion, err)
	}
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("the schema of AsyncAPI %s: %w", asyncVersion, err)
	}
	const name = "asyncapi.json"
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, meta); err != nil {
		return err
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		return fmt.Errorf("the schema of AsyncAPI %s: %w", asyncVersion, err)
	}
	if err := schema.Validate(document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := errors.Join(dangling(document, document)...); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// dangling are the references that lead nowhere, which the specification's
// schema does not look for.
func dangling(document, node any) (all []error) {
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok && !leads(document, ref) {
			all = append(all, fmt.Errorf("nothing is at %s", ref))
		}
		for _, child := range node {
			all = append(all, dangling(document, child)...)
		}
	case []any:
		for _, child := range node {
			all = append(all, dangling(document, child)...)
		}
	}
	return all
}

func leads(document any, ref string) bool {
	path, ok := strings.CutPrefix(ref, "#/")
	for name := range strings.SplitSeq(path, "/") {
		object, _ := document.(map[string]any)
		document = object[name]
		ok = ok && document != nil
	}
	return ok
}

func checkOpen(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	document, err := libopenapi.NewDocument(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := document.BuildV3Model(); err != nil { // references that lead nowhere
		return fmt.Errorf("%s: %w", path, err)
	}
	validator, failures := openapi.NewValidator(document)
	if len(failures) > 0 {
		return fmt.Errorf("%s: %w", path, errors.Join(failures...))
	}
	_, faults := validator.ValidateDocument()
	var all []error
	for _, fault := range faults {
		all = append(all, fmt.Errorf("%s: %s: %s", path, fault.Message, fault.Reason))
		for _, detail := range fault.SchemaValidationErrors {
			all = append(all, fmt.Errorf("%s: %s: %s", path, detail.FieldPath, detail.Reason))
		}
	}
	return errors.Join(all...)
}

// read makes of YAML what a JSON Schema is made for.
func read(path string) (any, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document any
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}
