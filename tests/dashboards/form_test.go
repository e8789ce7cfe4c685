package dashboards

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	folder         = "../../grafana/dashboards"
	gridColumns    = 24
	laptopRows     = 17 // of Grafana's grid, on a screen of 900 pixels with the bars of a browser
	wideColumns    = 12
	wantedSchema   = 39
	datasourceUID  = "${datasource}"
	mostLegendName = 60
)

// Grafana's ids of units; one that it does not know is printed behind the value as it is.
func units() []string {
	return []string{"short", "s", "cps", "ops", "reqps", "percentunit", "bytes", "bool_yes_no"}
}

func TestDashboardsHaveTheFormGrafanaKnows(t *testing.T) {
	t.Parallel()
	uids := map[string]string{}
	for name, d := range load(t) {
		t.Run(name, func(t *testing.T) {
			checkPage(t, name, d)
			checkVariables(t, d)
			checkLayout(t, d)
			for _, p := range d.Panels {
				checkPanel(t, p)
			}
		})
		if other := uids[d.UID]; other != "" {
			t.Errorf("%s and %s have the uid %s", name, other, d.UID)
		}
		uids[d.UID] = name
	}
	if len(uids) != 4 {
		t.Errorf("%d dashboards, want 4", len(uids))
	}
}

// One source: what is committed is what the generator writes.
func TestDashboardsAreWhatTheGeneratorWrites(t *testing.T) {
	t.Parallel()
	fresh := t.TempDir()
	generate := exec.Command("go", "run", "./grafana/generate", fresh)
	generate.Dir = "../.."
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	for name := range load(t) {
		want, err := os.ReadFile(filepath.Join(fresh, name))
		if err != nil {
			t.Errorf("the generator does not write %s", name)
			continue
		}
		got, _ := os.ReadFile(filepath.Join(folder, name))
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from its source; run `go generate ./grafana/...`", name)
		}
	}
}

func load(t *testing.T) map[string]dashboard {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no dashboards in %s: %v", folder, err)
	}
	all := map[string]dashboard{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		strictly(t, path, text, &d)
		all[filepath.Base(path)] = d
	}
	return all
}

func strictly(t *testing.T, what string, text []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func checkPage(t *testing.T, name string, d dashboard) {
	t.Helper()
	if want := "baton-" + strings.TrimSuffix(name, ".json"); d.UID != want {
		t.Errorf("uid %q, want %q", d.UID, want)
	}
	if d.Title == "" || d.Description == "" || !slices.Contains(d.Tags, "baton") {
		t.Errorf("title %q, description %q, tags %v", d.Title, d.Description, d.Tags)
	}
	if d.SchemaVersion != wantedSchema || d.Refresh != "5s" || !slices.Contains(d.Timepicker.RefreshIntervals, "5s") {
		t.Errorf("schema %d, refresh %q", d.SchemaVersion, d.Refresh)
	}
	if len(d.Links) != 1 || d.Links[0].Type != "dashboards" || !d.Links[0].IncludeVars || !slices.Contains(d.Links[0].Tags, "baton") {
		t.Errorf("no link to the other dashboards: %+v", d.Links)
	}
	for _, a := range d.Annotations.List {
		if a.Name == "" || a.Expr == "" || a.Datasource == nil || a.Datasource.UID != datasourceUID {
			t.Errorf("annotation %+v", a)
		}
	}
}

func checkVariables(t *testing.T, d dashboard) {
	t.Helper()
	var names []string
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
		if v.Type == "query" && (v.Datasource == nil || v.Datasource.UID != datasourceUID || !v.Multi || !v.IncludeAll) {
			t.Errorf("variable %+v", v)
		}
	}
	if !slices.Equal(names, []string{"datasource", "color", "instance"}) {
		t.Errorf("variables %v", names)
	}
}

// checkLayout wants everything on one screen and nothing over another.
func checkLayout(t *testing.T, d dashboard) {
	t.Helper()
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: id %d is used twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 4 || g.H < 3 || g.X+g.W > gridColumns || g.Y+g.H > laptopRows {
			t.Errorf("%s: does not fit: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

func checkPanel(t *testing.T, p panel) {
	t.Helper()
	if p.Title == "" || p.Description == "" || !strings.HasSuffix(p.Description, ".") {
		t.Errorf("%q: description %q", p.Title, p.Description)
	}
	if p.Datasource == nil || p.Datasource.UID != datasourceUID || p.Datasource.Type != "prometheus" {
		t.Errorf("%s: datasource %+v", p.Title, p.Datasource)
	}
	checkTargets(t, p)
	switch p.Type {
	case "timeseries":
		checkDefaults(t, p)
		var options timeseriesOptions
		strictly(t, p.Title+" options", p.Options, &options)
		strictly(t, p.Title+" custom", p.FieldConfig.Defaults.Custom, &timeseriesCustom{})
		legend, beside := options.Legend, p.GridPos.W >= wideColumns
		if !legend.ShowLegend || beside != (legend.Placement == "right") || beside == (len(legend.Calcs) == 0) {
			t.Errorf("%s: legend %+v in %d columns", p.Title, legend, p.GridPos.W)
		}
	case "stat":
		checkDefaults(t, p)
		strictly(t, p.Title+" options", p.Options, &statOptions{})
	case "heatmap":
		var options heatmapOptions
		strictly(t, p.Title+" options", p.Options, &options)
		if !slices.Contains(units(), options.YAxis.Unit) {
			t.Errorf("%s: unit %q", p.Title, options.YAxis.Unit)
		}
	default:
		t.Errorf("%s: panel type %q", p.Title, p.Type)
	}
}

func checkTargets(t *testing.T, p panel) {
	t.Helper()
	refs := map[string]bool{}
	for _, q := range p.Targets {
		if refs[q.RefID] || q.RefID == "" {
			t.Errorf("%s: refId %q", p.Title, q.RefID)
		}
		refs[q.RefID] = true
		if q.Expr == "" || q.Datasource == nil || q.Datasource.UID != datasourceUID || q.Range == q.Instant {
			t.Errorf("%s: target %+v", p.Title, q)
		}
		if p.Type == "timeseries" && (q.LegendFormat == "" || len(q.LegendFormat) > mostLegendName) {
			t.Errorf("%s: legend %q", p.Title, q.LegendFormat)
		}
	}
	if len(refs) == 0 {
		t.Errorf("%s asks nothing", p.Title)
	}
}

func checkDefaults(t *testing.T, p panel) {
	t.Helper()
	d := p.FieldConfig.Defaults
	if !slices.Contains(units(), d.Unit) {
		t.Errorf("%s: unit %q", p.Title, d.Unit)
	}
	steps := d.Thresholds.Steps
	if len(steps) == 0 || steps[0].Value != nil {
		t.Errorf("%s: the first threshold is the base and has no value: %+v", p.Title, steps)
		return
	}
	rising := slices.IsSortedFunc(steps[1:], func(a, b step) int {
		return int(1e6 * (*a.Value - *b.Value))
	})
	if !rising {
		t.Errorf("%s: thresholds do not rise: %+v", p.Title, steps)
	}
}
