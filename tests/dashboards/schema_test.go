package dashboards

import "encoding/json"

// The part of Grafana's dashboard schema (version 39, Grafana 11) that is used here. A field that is not in it
// is refused: Grafana itself ignores what it does not know, so a misspelled option would do nothing, silently.

type dashboard struct {
	UID                  string   `json:"uid"`
	Title                string   `json:"title"`
	Description          string   `json:"description"`
	Tags                 []string `json:"tags"`
	SchemaVersion        int      `json:"schemaVersion"`
	Version              int      `json:"version"`
	Editable             bool     `json:"editable"`
	GraphTooltip         int      `json:"graphTooltip"`
	Refresh              string   `json:"refresh"`
	Timezone             string   `json:"timezone"`
	FiscalYearStartMonth int      `json:"fiscalYearStartMonth"`
	Time                 struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Timepicker struct {
		RefreshIntervals []string `json:"refresh_intervals"`
	} `json:"timepicker"`
	Links      []link `json:"links"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []annotation `json:"list"`
	} `json:"annotations"`
	Panels []panel `json:"panels"`
}

type link struct {
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	KeepTime    bool     `json:"keepTime"`
	IncludeVars bool     `json:"includeVars"`
	TargetBlank bool     `json:"targetBlank"`
	Icon        string   `json:"icon"`
	Tooltip     string   `json:"tooltip"`
	URL         string   `json:"url"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type variable struct {
	Name        string          `json:"name"`
	Label       string          `json:"label"`
	Type        string          `json:"type"`
	Datasource  *datasource     `json:"datasource"`
	Definition  string          `json:"definition"`
	Query       json.RawMessage `json:"query"`
	Refresh     int             `json:"refresh"`
	Regex       string          `json:"regex"`
	Sort        int             `json:"sort"`
	Hide        int             `json:"hide"`
	Multi       bool            `json:"multi"`
	IncludeAll  bool            `json:"includeAll"`
	AllValue    string          `json:"allValue"`
	SkipURLSync bool            `json:"skipUrlSync"`
	Current     json.RawMessage `json:"current"`
	Options     []struct{}      `json:"options"`
}

type annotation struct {
	Name            string      `json:"name"`
	Enable          bool        `json:"enable"`
	Hide            bool        `json:"hide"`
	IconColor       string      `json:"iconColor"`
	Datasource      *datasource `json:"datasource"`
	Expr            string      `json:"expr"`
	Step            string      `json:"step"`
	TitleFormat     string      `json:"titleFormat"`
	TextFormat      string      `json:"textFormat"`
	TagKeys         string      `json:"tagKeys"`
	UseValueForTime bool        `json:"useValueForTime"`
}

type panel struct {
	ID          int         `json:"id"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Transparent bool        `json:"transparent"`
	Datasource  *datasource `json:"datasource"`
	GridPos     gridPos     `json:"gridPos"`
	Targets     []target    `json:"targets"`
	FieldConfig struct {
		Defaults  fieldDefaults `json:"defaults"`
		Overrides []override    `json:"overrides"`
	} `json:"fieldConfig"`
	Options json.RawMessage `json:"options"`
}

type gridPos struct{ X, Y, W, H int }

type target struct {
	RefID        string      `json:"refId"`
	Datasource   *datasource `json:"datasource"`
	EditorMode   string      `json:"editorMode"`
	Expr         string      `json:"expr"`
	LegendFormat string      `json:"legendFormat"`
	Format       string      `json:"format"`
	Exemplar     bool        `json:"exemplar"`
	Range        bool        `json:"range"`
	Instant      bool        `json:"instant"`
}

type fieldDefaults struct {
	Unit     string     `json:"unit"`
	Decimals *int       `json:"decimals"`
	Min      *float64   `json:"min"`
	NoValue  string     `json:"noValue"`
	Mappings []struct{} `json:"mappings"`
	Color    struct {
		Mode string `json:"mode"`
	} `json:"color"`
	Thresholds struct {
		Mode  string `json:"mode"`
		Steps []step `json:"steps"`
	} `json:"thresholds"`
	Custom json.RawMessage `json:"custom"`
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type override struct {
	Matcher struct {
		ID      string `json:"id"`
		Options string `json:"options"`
	} `json:"matcher"`
	Properties []struct {
		ID    string `json:"id"`
		Value struct {
			Mode       string `json:"mode"`
			FixedColor string `json:"fixedColor"`
		} `json:"value"`
	} `json:"properties"`
}

type timeseriesOptions struct {
	Legend struct {
		DisplayMode string   `json:"displayMode"`
		Placement   string   `json:"placement"`
		ShowLegend  bool     `json:"showLegend"`
		Calcs       []string `json:"calcs"`
	} `json:"legend"`
	Tooltip struct {
		Mode string `json:"mode"`
		Sort string `json:"sort"`
	} `json:"tooltip"`
}

type timeseriesCustom struct {
	DrawStyle         string  `json:"drawStyle"`
	LineInterpolation string  `json:"lineInterpolation"`
	LineWidth         int     `json:"lineWidth"`
	FillOpacity       int     `json:"fillOpacity"`
	GradientMode      string  `json:"gradientMode"`
	ShowPoints        string  `json:"showPoints"`
	SpanNulls         float64 `json:"spanNulls"`
	AxisPlacement     string  `json:"axisPlacement"`
	Stacking          struct {
		Mode  string `json:"mode"`
		Group string `json:"group"`
	} `json:"stacking"`
	ThresholdsStyle struct {
		Mode string `json:"mode"`
	} `json:"thresholdsStyle"`
}

type statOptions struct {
	ReduceOptions struct {
		Calcs  []string `json:"calcs"`
		Fields string   `json:"fields"`
		Values bool     `json:"values"`
	} `json:"reduceOptions"`
	ColorMode   string `json:"colorMode"`
	GraphMode   string `json:"graphMode"`
	JustifyMode string `json:"justifyMode"`
	Orientation string `json:"orientation"`
	TextMode    string `json:"textMode"`

	WideLayout             bool   `json:"wideLayout"`
	ShowPercentChange      bool   `json:"showPercentChange"`
	PercentChangeColorMode string `json:"percentChangeColorMode"`
}

type heatmapOptions struct {
	Calculate bool `json:"calculate"`
	CellGap   int  `json:"cellGap"`
	Color     struct {
		Mode     string  `json:"mode"`
		Scheme   string  `json:"scheme"`
		Scale    string  `json:"scale"`
		Exponent float64 `json:"exponent"`
		Steps    int     `json:"steps"`
		Reverse  bool    `json:"reverse"`
		Fill     string  `json:"fill"`
	} `json:"color"`
	Exemplars    struct{ Color string }  `json:"exemplars"`
	FilterValues struct{ Le float64 }    `json:"filterValues"`
	Legend       struct{ Show bool }     `json:"legend"`
	RowsFrame    struct{ Layout string } `json:"rowsFrame"`
	CellValues   struct{ Unit string }   `json:"cellValues"`
	ShowValue    string                  `json:"showValue"`
	Tooltip      struct {
		Mode           string `json:"mode"`
		YHistogram     bool   `json:"yHistogram"`
		ShowColorScale bool   `json:"showColorScale"`
	} `json:"tooltip"`
	YAxis struct {
		AxisPlacement string `json:"axisPlacement"`
		Reverse       bool   `json:"reverse"`
		Unit          string `json:"unit"`
	} `json:"yAxis"`
}
