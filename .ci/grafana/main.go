// Command grafana checks dashboards against Grafana's own types, generated out
// of its schemas: a field that they don't know, or want and don't find.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: grafana DASHBOARD.json...")
		os.Exit(2)
	}
	kinds := cog.NewRuntime() // what a panel and a query may be: any other kind would not be looked into
	kinds.RegisterPanelcfgVariant(timeseries.VariantConfig())
	kinds.RegisterPanelcfgVariant(stat.VariantConfig())
	kinds.RegisterPanelcfgVariant(heatmap.VariantConfig())
	kinds.RegisterDataqueryVariant(prometheus.VariantConfig())
	var faults []error
	for _, path := range os.Args[1:] {
		if err := check(path, kinds); err != nil {
			faults = append(faults, fmt.Errorf("%s:\n%w", path, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(path string, kinds *cog.Runtime) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var d dashboard.Dashboard
	var faults cog.BuildErrors // an empty list of them is no nil error
	if err := d.UnmarshalJSONStrict(raw); !errors.As(err, &faults) || len(faults) > 0 {
		return err
	}
	return errors.Join(d.Validate(), known(raw, kinds))
}

// known wants every panel to be of a kind that has been looked into.
func known(raw []byte, kinds *cog.Runtime) error {
	var page struct{ Panels []struct{ Type string } }
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	for _, panel := range page.Panels {
		if _, found := kinds.ConfigForPanelcfgVariant(panel.Type); !found {
			return fmt.Errorf("a panel is of the kind %q, which is not looked into: register it", panel.Type)
		}
	}
	return nil
}
