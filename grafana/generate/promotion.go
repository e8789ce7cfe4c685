package main

// promotion shows the two colors side by side through a switch.
func promotion() dashboard {
	return dashboard{
		name:        "promotion",
		title:       "Baton / Promotion",
		description: "The two colors side by side through a switch: who holds the connections, and what it cost the clients.",
		rows: []row{
			{height: 3, panels: promotionNumbers()},
			{height: 7, panels: []panel{
				timeline("Connections moving", "short", "The old color's fall, the new color's rise. The sum must not dip for longer than a reconnect takes.",
					target{"{{color}}", `sum by (color) (websocket_active_connections{color=~"$color"})`}),
				timeline("Resumes and fences", "cps", "Sessions that went on elsewhere, and old connections that were closed for it (4001).",
					target{"{{color}} resumed", `sum by (color) (rate(websocket_resumes_total{color=~"$color"}[$__rate_interval]))`},
					target{"{{color}} fenced", `sum by (color) (rate(websocket_fenced_total{color=~"$color"}[$__rate_interval]))`}),
			}},
			{height: 7, panels: []panel{
				timeline("Closes by code", "cps", "1001 is the drain, 1006 a connection that was cut, 1013 Redis, 4001 a takeover. What a color closes in its last seconds is gone before it is scraped; promote.sh reports it.",
					target{"{{color}} {{code}}", `sum by (color, code) (rate(websocket_closes_total{color=~"$color"}[$__rate_interval])) > 0`}).
					otherwise("no closes"),
				timeline("Errors by reason", "cps", "What promote.sh watches during the bake. Empty is good.",
					target{"{{color}} {{reason}}", `sum by (color, reason) (rate(websocket_errors_total{color=~"$color"}[$__rate_interval])) > 0`}).
					otherwise("no errors"),
				timeline("p99 of a message", "s", "Of each color. The line is the alert's.",
					target{"{{color}}", quantile("0.99", "websocket_message_duration_seconds")}).warn(0.25, 1),
			}},
		},
	}
}

func promotionNumbers() []panel {
	return []panel{
		number("Blue", "short", "Connections on blue.", `sum(websocket_active_connections{color="blue"}) or vector(0)`).of("blue"),
		number("Green", "short", "Connections on green.", `sum(websocket_active_connections{color="green"}) or vector(0)`).of("green"),
		number("Draining", "short", "Replicas that are giving their connections away.", `sum(websocket_draining) or vector(0)`).warn(1, 10),
		number("Resumed in 5 m", "short", "Sessions that went on after a reconnect, estimated from scrapes. About one for each client is a promotion.",
			`sum(increase(websocket_resumes_total[5m]))`).whole(),
		number("Cut in 5 m", "short", "Connections that ended without a close frame (1006). A clean promotion has none.",
			`sum(increase(websocket_closes_total{code="1006"}[5m]))`).warn(1, 100).whole(),
		number("Versions", "short", "Different builds that run now; two while a promotion is under way.",
			`count(count by (version, commit) (app_build_info)) or vector(0)`).good(1),
	}
}
