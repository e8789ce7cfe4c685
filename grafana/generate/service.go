package main

// service looks inside the processes: where the time and the memory go.
func service() dashboard {
	return dashboard{
		name:        "service",
		title:       "Baton / Service",
		description: "Inside the processes: where the time of a message goes, and what a connection costs.",
		rows: []row{
			{height: 5, panels: []panel{
				heatmap("Time of a message", "s", "Every message, by how long it took from frame read to reply written.",
					`sum by (le) (increase(websocket_message_duration_seconds_bucket{color=~"$color", instance=~"$instance"}[$__rate_interval]))`),
				timeline("Commit", "s", "One pipeline of commits to Redis, there and back. With tracing on, the dots are traces.",
					target{"{{color}} p50", quantile("0.50", "session_commit_duration_seconds")},
					target{"{{color}} p99", quantile("0.99", "session_commit_duration_seconds")}).traced(),
			}},
			{height: 6, panels: []panel{
				timeline("Commits in a pipeline", "short", "Under load one round trip carries many commits; that is what keeps Redis cheap.",
					target{"{{color}} mean", `sum by (color) (rate(session_commit_batch_size_sum{color=~"$color", instance=~"$instance"}[$__rate_interval])) / sum by (color) (rate(session_commit_batch_size_count{color=~"$color", instance=~"$instance"}[$__rate_interval]))`},
					target{"{{color}} p99", quantile("0.99", "session_commit_batch_size")}),
				timeline("Heartbeat fan-out", "s", "Time to hand one heartbeat to every connection. The line is the alert's.",
					target{"{{color}} p99", `histogram_quantile(0.99, sum by (color, le) (rate(websocket_heartbeat_fanout_seconds_bucket{color=~"$color", instance=~"$instance"}[5m])))`}).warn(1, 2.5),
				timeline("Memory of a connection", "bytes", "Resident memory of the process, shared by its connections; from 100 of them on, below that it says nothing.",
					target{"{{color}} {{instance}}", `process_resident_memory_bytes{color=~"$color", instance=~"$instance"} / (websocket_active_connections{color=~"$color", instance=~"$instance"} >= 100)`}).otherwise("under 100 connections"),
			}},
			{height: 6, panels: []panel{
				timeline("CPU", "percentunit", "Of one core.",
					target{"{{color}} {{instance}}", `rate(process_cpu_seconds_total{color=~"$color", instance=~"$instance"}[$__rate_interval])`}),
				timeline("Goroutines", "short", "Should follow the connections, or stay flat, and fall back after a drain.",
					target{"{{color}} {{instance}}", `go_goroutines{color=~"$color", instance=~"$instance"}`}),
				timeline("GC pauses", "percentunit", "Share of the time in which the collector stopped the process.",
					target{"{{color}} {{instance}}", `rate(go_gc_duration_seconds_sum{color=~"$color", instance=~"$instance"}[$__rate_interval])`}),
				timeline("File descriptors", "percentunit", "Open, of those the process may open. The line is the alert's.",
					target{"{{color}} {{instance}}", `process_open_fds{color=~"$color", instance=~"$instance"} / process_max_fds{color=~"$color", instance=~"$instance"}`}).warn(0.8, 0.95),
			}},
		},
	}
}
