package clients

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// document is one of the two, and what of it was seen in real life.
type document struct {
	root     map[string]any
	compiler *jsonschema.Compiler

	mu   sync.Mutex
	seen map[string]bool
}

const documentURL = "file:///document.json"

func open(t *testing.T, path string, draft *jsonschema.Draft) *document {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{compiler: jsonschema.NewCompiler(), seen: map[string]bool{}}
	if err := yaml.Unmarshal(raw, &d.root); err != nil {
		t.Fatal(err)
	}
	d.compiler.DefaultDraft(draft)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, plain(t, d.root)); err != nil {
		t.Fatal(err)
	}
	return d
}

// at is what stands at a path of names, references followed.
func (d *document) at(t *testing.T, path ...string) map[string]any {
	t.Helper()
	_, node := d.find(t, path...)
	return node
}

func (d *document) find(t *testing.T, path ...string) (pointer string, node map[string]any) {
	t.Helper()
	node = d.root
	for _, name := range path {
		child, ok := node[name].(map[string]any)
		if !ok {
			t.Fatalf("the document has no %q in %q", name, path)
		}
		pointer, node = pointer+"/"+escape(name), child
		if ref, ok := node["$ref"].(string); ok && len(node) == 1 {
			names := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
			for i := range names {
				names[i] = unescape(names[i])
			}
			pointer, node = d.find(t, names...)
		}
	}
	return pointer, node
}

// fault is why a value does not fit the schema at a path, nil if it does.
func (d *document) fault(t *testing.T, value any, path ...string) error {
	t.Helper()
	pointer, _ := d.find(t, path...)
	d.mu.Lock() // the compiler is not safe for concurrent use
	defer d.mu.Unlock()
	schema, err := d.compiler.Compile(documentURL + "#" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func (d *document) saw(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[what] = true
}

// complete says what the document promises and no server did.
func (d *document) complete(t *testing.T, promised []string) {
	t.Helper()
	for _, what := range promised {
		if !d.seen[what] {
			t.Errorf("documented, and not seen: %s", what)
		}
	}
	if len(promised) == 0 {
		t.Error("the document promises nothing")
	}
}

func names(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

func decode(t *testing.T, text string) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Errorf("not JSON: %q: %v", text, err)
	}
	return value
}

// plain makes of YAML's values those of JSON.
func plain(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	same, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return same
}

// escape is for JSON pointers, RFC 6901, inside a URL's fragment.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
}

func unescape(name string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(name) }
