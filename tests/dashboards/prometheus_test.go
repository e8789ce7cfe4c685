package dashboards

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"baton/tests/harness"
)

const (
	configFile  = "../../docker/prometheus/prometheus.yml"
	askWithin   = 15 * time.Second
	startWithin = 45 * time.Second // a busy machine
)

// prometheus is a real one with the real configuration, but for where the targets are and how often it looks.
type prometheus struct {
	*harness.Process
	base string
	dir  string // of its configuration
}

// startPrometheus rewrites the configuration: targets by job, from files, which come and go as names in DNS do;
// a job that is not named is left out, and "alertmanager" is told of alerts. rules is the folder of the rule files.
func startPrometheus(t *testing.T, targets map[string][]string, rules string) *prometheus {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		harness.Skip(t, "prometheus is not installed")
	}
	port := harness.FreePort(t)
	targets["prometheus"] = []string{fmt.Sprintf("127.0.0.1:%d", port)}
	p := &prometheus{base: fmt.Sprintf("http://127.0.0.1:%d", port), dir: t.TempDir()}
	config := filepath.Join(p.dir, "prometheus.yml")
	if err := os.WriteFile(config, p.rewritten(t, targets, rules), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Process = harness.Run(t, harness.Command{Path: path, Env: os.Environ(), Args: []string{
		"--config.file=" + config, "--storage.tsdb.path=" + t.TempDir(), "--web.listen-address=" + targets["prometheus"][0],
		"--enable-feature=exemplar-storage",
	}})
	harness.Eventually(t, startWithin, "Prometheus is ready", func() bool {
		answer, err := http.Get(p.base + "/-/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return p
}

func (p *prometheus) rewritten(t *testing.T, targets map[string][]string, rules string) []byte {
	t.Helper()
	text, err := os.ReadFile(configFile)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Global        map[string]any   `yaml:"global"`
		RuleFiles     []string         `yaml:"rule_files"`
		ScrapeConfigs []map[string]any `yaml:"scrape_configs"`
		Alerting      any              `yaml:"alerting,omitempty"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	config.Alerting = nil
	if list := targets["alertmanager"]; len(list) > 0 {
		config.Alerting = map[string]any{"alertmanagers": []map[string]any{{"static_configs": []map[string]any{{"targets": list}}}}}
	}
	config.Global = map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
	for i, pattern := range config.RuleFiles {
		config.RuleFiles[i] = absolute(t, filepath.Join(rules, filepath.Base(pattern)))
	}
	scrapes := config.ScrapeConfigs
	config.ScrapeConfigs = nil
	for _, scrape := range scrapes {
		delete(scrape, "dns_sd_configs")
		delete(scrape, "static_configs")
		job := fmt.Sprint(scrape["job_name"])
		if list := targets[job]; len(list) > 0 {
			p.target(t, job, list...)
			scrape["file_sd_configs"] = []map[string]any{{"files": []string{p.targetFile(job)}, "refresh_interval": "1s"}}
			config.ScrapeConfigs = append(config.ScrapeConfigs, scrape)
		}
	}
	out, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (p *prometheus) targetFile(job string) string { return filepath.Join(p.dir, job+".json") }

// target says what a job scrapes from now on; nothing: its color was retired.
func (p *prometheus) target(t *testing.T, job string, addresses ...string) {
	t.Helper()
	groups := []map[string]any{}
	if len(addresses) > 0 {
		groups = append(groups, map[string]any{"targets": addresses})
	}
	text, err := json.Marshal(groups)
	if err == nil {
		err = os.WriteFile(p.targetFile(job)+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(p.targetFile(job)+".new", p.targetFile(job))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// sample is one value of an answer.
type sample struct {
	Metric map[string]string
	Value  [2]any
	number float64
}

// ask runs an instant query and returns the values, without what is not a number.
func (p *prometheus) ask(expr string) ([]float64, error) {
	samples, err := p.samples(expr)
	var values []float64
	for _, s := range samples {
		values = append(values, s.number)
	}
	return values, err
}

// samples runs an instant query and returns what is a number.
func (p *prometheus) samples(expr string) ([]sample, error) {
	client := http.Client{Timeout: askWithin}
	response, err := client.Get(p.base + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("HTTP %d: %w", response.StatusCode, err)
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("prometheus: %s", answer.Error)
	}
	var vector []sample
	if answer.Data.ResultType == "scalar" {
		vector = make([]sample, 1)
		err = json.Unmarshal(answer.Data.Result, &vector[0].Value)
	} else {
		err = json.Unmarshal(answer.Data.Result, &vector)
	}
	var numbers []sample
	for _, s := range vector {
		if v, err := strconv.ParseFloat(fmt.Sprint(s.Value[1]), 64); err == nil && !math.IsNaN(v) {
			s.number = v
			numbers = append(numbers, s)
		}
	}
	return numbers, err
}

// number is the one value of an expression.
func (p *prometheus) number(t *testing.T, expr string) float64 {
	t.Helper()
	values, err := p.ask(expr)
	if err != nil || len(values) > 1 {
		t.Fatalf("%s: %v %v", expr, values, err)
	}
	if len(values) == 0 {
		return math.NaN()
	}
	return values[0]
}
