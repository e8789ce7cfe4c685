package main

// Grafana's grid: 24 columns; 17 rows, of 38 pixels each, are what a laptop's 900 pixels leave below the bars of the
// browser and of Grafana.
const (
	gridColumns = 24
	wideColumns = 12 // from here on a legend has room at the side
)

// schemaVersion is that of Grafana 11; a newer Grafana migrates it by itself.
const schemaVersion = 39

type object map[string]any

// dashboard is a page of rows; a row's panels share its height.
type dashboard struct {
	name        string // of the file, and in the uid
	title       string
	description string
	rows        []row
}

type row struct {
	height int
	panels []panel
}

func (d dashboard) json() object {
	return object{
		"uid":                  "baton-" + d.name,
		"title":                d.title,
		"description":          d.description,
		"tags":                 []string{"baton"},
		"schemaVersion":        schemaVersion,
		"version":              1,
		"editable":             false,
		"graphTooltip":         1, // one crosshair over all panels
		"refresh":              "5s",
		"timezone":             "browser",
		"time":                 object{"from": "now-15m", "to": "now"},
		"timepicker":           object{"refresh_intervals": []string{"5s", "15s", "1m", "5m"}},
		"fiscalYearStartMonth": 0,
		"links":                links(),
		"templating":           object{"list": variables()},
		"annotations":          object{"list": annotations()},
		"panels":               d.panels(),
	}
}

// panels places the rows below each other; a row's width is shared by its panels.
func (d dashboard) panels() []object {
	placed := []object{}
	y := 0
	for _, r := range d.rows {
		x := 0
		for i, p := range r.panels {
			width := gridColumns / len(r.panels)
			if i == len(r.panels)-1 {
				width = gridColumns - x
			}
			placed = append(placed, p.json(len(placed)+1, grid{x, y, width, r.height}))
			x += width
		}
		y += r.height
	}
	return placed
}

// grid is a panel's place.
type grid struct{ x, y, w, h int }

func (g grid) json() object { return object{"x": g.x, "y": g.y, "w": g.w, "h": g.h} }

// links lead to the other dashboards, with the time and the variables kept.
func links() []object {
	return []object{{
		"type": "dashboards", "title": "Baton", "tags": []string{"baton"}, "asDropdown": false,
		"keepTime": true, "includeVars": true, "targetBlank": false, "icon": "external link", "tooltip": "", "url": "",
	}}
}

func source() object { return object{"type": "prometheus", "uid": "${datasource}"} }

func variables() []object {
	return []object{
		{
			"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "regex": "",
			"hide": 0, "multi": false, "includeAll": false, "refresh": 1, "skipUrlSync": false,
			"current": object{"selected": false, "text": "default", "value": "default"}, "options": []object{},
		},
		queryVariable("color", "Color", "label_values(websocket_active_connections, color)"),
		queryVariable("instance", "Instance", `label_values(websocket_active_connections{color=~"$color"}, instance)`),
	}
}

// queryVariable offers every value; all of them is `.+`, so that what has no color at all (Traefik) stays out.
func queryVariable(name, label, query string) object {
	return object{
		"name": name, "label": label, "type": "query", "datasource": source(),
		"definition": query, "query": object{"query": query, "refId": "variable-" + name, "qryType": 1},
		"refresh": 2, // with the time range: colors and replicas come and go
		"regex":   "", "sort": 1, "hide": 0, "multi": true, "includeAll": true, "allValue": ".+", "skipUrlSync": false,
		"current": object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}}, "options": []object{},
	}
}

// switches marks the moments at which Traefik took a new dynamic file: that is what a promotion is.
func switches() object {
	return object{
		"name": "Switches", "enable": true, "hide": false, "iconColor": "purple", "datasource": source(),
		"expr": "traefik_config_last_reload_success * 1000", "useValueForTime": true, "step": "15s",
		"titleFormat": "Traefik took a new configuration", "textFormat": "", "tagKeys": "",
	}
}

// alarms marks the time in which an alert fires.
func alarms() object {
	return object{
		"name": "Alerts", "enable": true, "hide": false, "iconColor": "red", "datasource": source(),
		"expr": `max by (alertname, color) (ALERTS{alertstate="firing"})`, "useValueForTime": false, "step": "15s",
		"titleFormat": "{{alertname}} {{color}}", "textFormat": "", "tagKeys": "color",
	}
}

// annotations are the same on every dashboard.
func annotations() []object { return []object{switches(), drains(), alarms()} }

// drains marks the time in which a color retires.
func drains() object {
	return object{
		"name": "Drains", "enable": true, "hide": false, "iconColor": "orange", "datasource": source(),
		"expr": "max by (color) (websocket_draining) == 1", "useValueForTime": false, "step": "5s",
		"titleFormat": "{{color}} drains", "textFormat": "", "tagKeys": "color",
	}
}
