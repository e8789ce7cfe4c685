package main

// panel is one chart; the constructors below are the kinds there are.
type panel struct {
	kind        string
	title       string
	description string
	unit        string
	decimals    int // -1: as Grafana thinks
	min         *float64
	steps       []object // thresholds
	noValue     string
	targets     []target
	exemplars   bool // dots that name traces
}

type target struct{ legend, expr string }

// timeline is a chart over time, a line for each series.
func timeline(title, unit, description string, targets ...target) panel {
	zero := 0.0
	return panel{
		kind: "timeseries", title: title, unit: unit, description: description, targets: targets,
		decimals: -1, min: &zero, steps: []object{step("green", nil)},
	}
}

// number is one value, now.
func number(title, unit, description, expr string) panel {
	return panel{
		kind: "stat", title: title, unit: unit, description: description, targets: []target{{"", expr}},
		decimals: -1, steps: []object{step("text", nil)},
	}
}

// heatmap draws a histogram's buckets over time.
func heatmap(title, unit, description, expr string) panel {
	return panel{kind: "heatmap", title: title, unit: unit, description: description, targets: []target{{"{{le}}", expr}}, decimals: -1}
}

// warn colors the value from each bound on.
func (p panel) warn(yellow, red float64) panel {
	p.steps = []object{step("green", nil), step("yellow", yellow), step("red", red)}
	return p
}

// good colors the value green from bound on, and red below.
func (p panel) good(bound float64) panel {
	p.steps = []object{step("red", nil), step("green", bound)}
	return p
}

// traced shows the exemplars of what is asked for.
func (p panel) traced() panel { p.exemplars = true; return p }

// bad colors the value red from bound on.
func (p panel) bad(bound float64) panel {
	p.steps = []object{step("green", nil), step("red", bound)}
	return p
}

// of names the series, for a color's own panel.
func (p panel) of(color string) panel { p.targets[0].legend = color; return p }

// whole leaves the fraction of an estimated number out.
func (p panel) whole() panel { p.decimals = 0; return p }

func (p panel) otherwise(text string) panel { p.noValue = text; return p }

func step(color string, value any) object { return object{"color": color, "value": value} }

func (p panel) json(id int, at grid) object {
	o := object{
		"id": id, "type": p.kind, "title": p.title, "description": p.description, "gridPos": at.json(),
		"datasource": source(), "targets": p.queries(), "transparent": false,
	}
	switch p.kind {
	case "timeseries":
		o["fieldConfig"] = object{"defaults": p.lineDefaults(), "overrides": colorOverrides()}
		o["options"] = object{
			"legend":  legend(at.w),
			"tooltip": object{"mode": "multi", "sort": "desc"},
		}
	case "stat":
		o["fieldConfig"] = object{"defaults": p.defaults(), "overrides": colorOverrides()}
		o["options"] = object{
			"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
			"colorMode":     "value", "graphMode": "area", "justifyMode": "auto", "orientation": "auto", "textMode": "value",
			"wideLayout": true, "showPercentChange": false, "percentChangeColorMode": "standard",
		}
	case "heatmap":
		o["fieldConfig"] = object{"defaults": object{"custom": object{"scaleDistribution": object{"type": "linear"}}}, "overrides": []object{}}
		o["options"] = p.heatmapOptions()
	}
	return o
}

// legend is a table beside a wide chart, and below a narrow one names alone: a table would take half of it.
func legend(width int) object {
	if width >= wideColumns {
		return object{"displayMode": "table", "placement": "right", "showLegend": true, "calcs": []string{"lastNotNull", "max"}}
	}
	return object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}}
}

func (p panel) queries() []object {
	queries := make([]object, 0, len(p.targets))
	for i, t := range p.targets {
		q := object{
			"refId": string(rune('A' + i)), "datasource": source(), "editorMode": "code",
			"expr": t.expr, "legendFormat": t.legend, "exemplar": p.exemplars, "range": true, "instant": false,
		}
		if p.kind == "heatmap" {
			q["format"] = "heatmap"
		} else {
			q["format"] = "time_series"
		}
		queries = append(queries, q)
	}
	return queries
}

func (p panel) defaults() object {
	d := object{
		"unit": p.unit, "color": object{"mode": "thresholds"}, "mappings": []object{},
		"thresholds": object{"mode": "absolute", "steps": p.steps},
	}
	if p.decimals >= 0 {
		d["decimals"] = p.decimals
	}
	if p.min != nil {
		d["min"] = *p.min
	}
	if p.noValue != "" {
		d["noValue"] = p.noValue
	}
	return d
}

func (p panel) lineDefaults() object {
	d := p.defaults()
	d["color"] = object{"mode": "palette-classic"}
	limits := "off"
	if len(p.steps) > 1 {
		limits = "dashed"
	}
	d["custom"] = object{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 2, "fillOpacity": 10, "gradientMode": "none",
		"showPoints": "never", "spanNulls": 60000, // ms: a lost scrape is no gap
		"stacking": object{"mode": "none", "group": "A"}, "thresholdsStyle": object{"mode": limits}, "axisPlacement": "auto",
	}
	return d
}

func (p panel) heatmapOptions() object {
	return object{
		"calculate": false, "cellGap": 1,
		"color":        object{"mode": "scheme", "scheme": "Turbo", "scale": "exponential", "exponent": 0.5, "steps": 64, "reverse": false, "fill": "dark-orange"},
		"exemplars":    object{"color": "rgba(255,0,255,0.7)"},
		"filterValues": object{"le": 1e-9},
		"legend":       object{"show": true},
		"rowsFrame":    object{"layout": "auto"},
		"tooltip":      object{"mode": "single", "yHistogram": true, "showColorScale": false},
		"yAxis":        object{"axisPlacement": "left", "reverse": false, "unit": p.unit},
		"cellValues":   object{"unit": "short"},
		"showValue":    "never",
	}
}

// colorOverrides draws blue in blues and green in greens, wherever a series is named so.
func colorOverrides() []object {
	overrides := []object{}
	for _, color := range []string{"blue", "green"} {
		overrides = append(overrides, object{
			"matcher":    object{"id": "byRegexp", "options": "/^" + color + "( .*)?$/"},
			"properties": []object{{"id": "color", "value": object{"mode": "shades", "fixedColor": color}}},
		})
	}
	return overrides
}
