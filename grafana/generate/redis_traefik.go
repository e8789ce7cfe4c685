package main

const needsExporter = "start the redis-exporter profile"

// redisAndTraefik are the two that every message passes.
func redisAndTraefik() dashboard {
	return dashboard{
		name:        "redis-traefik",
		title:       "Baton / Redis and Traefik",
		description: "The two that every message passes. Redis' own numbers need the compose profile redis-exporter.",
		rows: []row{
			{height: 3, panels: frontAndStoreNumbers()},
			{height: 7, panels: []panel{
				timeline("Counts in Redis", "ops", "Scripts that Redis ran, one for a count, a claim or a session's heartbeat, beside the messages. Where a session sends faster than Redis answers, one count stands for several messages.",
					target{"scripts", `sum(rate(redis_commands_total{cmd=~"eval|evalsha"}[$__rate_interval]))`},
					target{"messages", `sum(rate(websocket_messages_total[$__rate_interval]))`}).otherwise(needsExporter),
				timeline("Redis memory", "bytes", "Used, and the limit at which noeviction refuses writes.",
					target{"used", `sum(redis_memory_used_bytes)`}, target{"limit", `sum(redis_memory_max_bytes) > 0`}).otherwise(needsExporter),
				timeline("Commit as the colors see it", "s", "One pipeline of commits, there and back: Redis, its disk and the way there.",
					target{"{{color}} p99", quantile("0.99", "session_commit_duration_seconds")}),
			}},
			{height: 7, panels: []panel{
				timeline("Traefik: open connections", "short", "By entry point. `web` is the clients'.",
					target{"{{entrypoint}}", `sum by (entrypoint) (traefik_open_connections)`}),
				timeline("Traefik: requests", "reqps", "By entry point and status. A WebSocket is counted when it ends, with the status 0.",
					target{"{{entrypoint}} {{code}}", `sum by (entrypoint, code) (rate(traefik_entrypoint_requests_total[$__rate_interval]))`}),
				timeline("HTTP of the colors", "reqps", "Requests by path and status, health checks and scrapes among them.",
					target{"{{path}} {{status_code}}", `sum by (path, status_code) (rate(http_requests_total{color=~"$color"}[$__rate_interval])) > 0`}),
			}},
		},
	}
}

func frontAndStoreNumbers() []panel {
	return []panel{
		number("Redis", "bool_yes_no", "Redis answers its exporter, which a Redis that hangs takes with it.", `min(redis_up or up{job="redis"})`).good(1).otherwise(needsExporter),
		number("Append-only file", "bool_yes_no", "The last write to the append-only file worked, and Redis says so.", `min(redis_aof_last_write_status or up{job="redis"})`).good(1).otherwise(needsExporter),
		number("Redis memory", "percentunit", "Used, of maxmemory. At 100 % every count is refused.",
			`max(redis_memory_used_bytes / (redis_memory_max_bytes > 0))`).warn(0.6, 0.8).otherwise("no limit, or no exporter"),
		number("Sessions", "short", "Keys in Redis: sessions that can be resumed.", `sum(redis_db_keys)`).otherwise(needsExporter),
		number("Traefik", "bool_yes_no", "Traefik answers Prometheus.", `min(up{job="traefik"})`).good(1),
		number("Last switch", "s", "Time since Traefik took its configuration.", `time() - max(traefik_config_last_reload_success)`),
	}
}
