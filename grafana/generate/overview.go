package main

// overview is the first look: is it well, how much is going on, and where.
func overview() dashboard {
	return dashboard{
		name:        "overview",
		title:       "Baton / Overview",
		description: "Is it well, and how much is going on: connections, messages and errors, by color.",
		rows: []row{
			{height: 3, panels: overviewNumbers()},
			{height: 7, panels: []panel{
				timeline("Connections", "short", "Open WebSocket connections of each color. A promotion moves them from one to the other.",
					target{"{{color}}", `sum by (color) (websocket_active_connections{color=~"$color", instance=~"$instance"})`}),
				timeline("Messages", "cps", "Messages counted, stored and acknowledged each second.",
					target{"{{color}}", `sum by (color) (rate(websocket_messages_total{color=~"$color", instance=~"$instance"}[$__rate_interval]))`}),
			}},
			{height: 7, panels: []panel{
				timeline("Errors by reason", "cps", "Refused handshakes and connections that were closed for a fault. Empty is good.",
					target{"{{color}} {{reason}}", `sum by (color, reason) (rate(websocket_errors_total{color=~"$color", instance=~"$instance"}[$__rate_interval])) > 0`}).
					otherwise("no errors"),
				timeline("Time of a message", "s", "From the frame being read until the reply was written, the commit in Redis included. The line is the alert's.",
					target{"{{color}} p50", quantile("0.50", "websocket_message_duration_seconds")},
					target{"{{color}} p99", quantile("0.99", "websocket_message_duration_seconds")}).warn(0.25, 1),
			}},
		},
	}
}

// overviewNumbers: a number would go on to show what it last had when its series end, and they end when everything is
// down. So each falls back to 0.
func overviewNumbers() []panel {
	return []panel{
		number("Active connections", "short", "Open WebSocket connections, all colors.",
			`sum(websocket_active_connections{color=~"$color", instance=~"$instance"}) or vector(0)`),
		number("Total messages", "short", "Messages acknowledged since the processes that run now started.",
			`sum(websocket_messages_total{color=~"$color", instance=~"$instance"}) or vector(0)`),
		number("Alerts", "short", "Alerts that fire now; the red marks in the charts name them, and their runbook says what to do first.",
			`count(ALERTS{alertstate="firing"}) or vector(0)`).bad(1),
		number("Failed by our fault", "percentunit", "The share of messages that failed by the server's own fault: commit time-outs, store unavailable, panics.",
			`max(color:websocket_server_errors:ratio1m{color=~"$color"})`).warn(0.001, 0.01),
		number("p99 of a message", "s", "The slowest color's p99 over the last minute; 0 when no message was answered.",
			`max(color:websocket_message_duration_seconds:p99_1m{color=~"$color"} >= 0) or vector(0)`).warn(0.1, 0.25),
		number("Replicas", "short", "Processes that answer Prometheus.",
			`sum(up{job=~"app_.+", color=~"$color"}) or vector(0)`).good(1),
	}
}

// quantile of a histogram, by color.
func quantile(q, metric string) string {
	return `histogram_quantile(` + q + `, sum by (color, le) (rate(` + metric + `_bucket{color=~"$color", instance=~"$instance"}[$__rate_interval])))`
}
