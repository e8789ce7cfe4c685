"""A replica for monitor.bats: /readyz and /metrics over HTTP, the counters rising with every scrape.

usage: fake_replica.py PORT_FILE COLOR CONNECTIONS MESSAGES_A_SCRAPE READY_CODE
"""

import http.server
import sys

PORT_FILE, COLOR = sys.argv[1:3]
CONNECTIONS, STEP, READY = (int(a) for a in sys.argv[3:6])

NOT_READY = '{"status":"not_ready","checks":{"redis":"connection refused","draining":false}}'
METRICS = """\
# HELP websocket_active_connections Connections that are open.
# TYPE websocket_active_connections gauge
websocket_active_connections {connections}
websocket_draining 0
websocket_messages_total {messages}
websocket_connections_total {small}
websocket_resumes_total {small}
websocket_fenced_total 0
websocket_closes_total{{code="1000"}} {small}
websocket_closes_total{{code="1006"}} {small}
websocket_errors_total{{reason="panic"}} {errors}
websocket_message_duration_seconds_bucket{{le="0.001"}} 0
websocket_message_duration_seconds_bucket{{le="0.002"}} {messages}
websocket_message_duration_seconds_bucket{{le="+Inf"}} {messages}
process_cpu_seconds_total {busy}
app_build_info{{color="{color}",commit="abc",version="v1.2.3"}} 1
"""
TRAEFIK = """\
traefik_open_connections{entrypoint="web",protocol="TCP"} 9
traefik_open_connections{entrypoint="metrics",protocol="TCP"} 1
"""


class Replica(http.server.BaseHTTPRequestHandler):
    scrapes = 0

    def do_GET(self):
        if self.path == "/metrics":
            Replica.scrapes += 1
            self.answer(200, metrics(Replica.scrapes))
        elif self.path == "/traefik":
            self.answer(200, TRAEFIK)
        else:
            self.answer(READY, NOT_READY if READY != 200 else '{"status":"ready"}')

    def answer(self, code, body):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def metrics(scrapes):
    return METRICS.format(
        color=COLOR,
        connections=CONNECTIONS,
        messages=scrapes * STEP,
        errors=scrapes,
        small=scrapes * 2,
        busy=scrapes * 1e9,
    )


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Replica)
with open(PORT_FILE, "w") as f:
    f.write(str(server.server_port))
server.serve_forever()
