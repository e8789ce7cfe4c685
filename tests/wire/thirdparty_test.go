package wire

import (
	"os/exec"
	"testing"

	"baton/tests/harness"
)

const pythonClient = `
import asyncio, json, sys, websockets
async def main(url):
    async with websockets.connect(url) as ws:
        for want in range(1, 51):
            await ws.send("message %d" % want)
            assert json.loads(await ws.recv()) == {"count": want}
        await (await ws.ping())
    print("ok")
asyncio.run(main(sys.argv[1]))
`

// websocket-client, the synchronous one.
const pythonSyncClient = `
import json, sys, websocket
ws = websocket.create_connection(sys.argv[1], timeout=10)
for want in range(1, 51):
    ws.send("message %d" % want)
    assert json.loads(ws.recv()) == {"count": want}
ws.ping("p")
assert ws.recv_data(control_frame=True)[0] == websocket.ABNF.OPCODE_PONG
ws.close()
`

// curl asks for the upgrade as any HTTP client would, and is told the session.
const curlClient = `
answer=$(curl --http1.1 --silent --include --no-buffer --max-time 1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
  -H 'Sec-WebSocket-Version: 13' -H "Sec-WebSocket-Key: $(head -c 16 /dev/zero | base64)" "${1/#ws/http}")
[[ $? == 28 && "$answer" == "HTTP/1.1 101 "* && "$answer" == *ICX+Yqv66kxgM0FcWaLWlFLwTAI=* && "$answer" == *X-Session-Id:* ]] || { echo "$answer"; exit 1; }
`

const nodeClient = `
const ws = new WebSocket(process.argv[1]);
let count = 0;
ws.onopen = () => { for (let i = 0; i < 50; i++) ws.send("message " + i); };
ws.onmessage = (event) => {
  count++;
  if (JSON.parse(event.data).count !== count) process.exit(1);
  if (count === 50) ws.close(1000, "done");
};
ws.onclose = (event) => process.exit(event.code === 1000 && event.wasClean ? 0 : 1);
`

// Clients that others wrote, as they are installed.
func TestClientsOfOthers(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	url := "ws://" + s.Addr + "/ws/chat/"
	python := pythonWith("websockets")
	for name, row := range map[string]struct{ probe, client []string }{
		"python websockets":       {[]string{python, "-c", "import websockets"}, []string{python, "-c", pythonClient, url}},
		"python websocket-client": {[]string{pythonWith("websocket"), "-c", "import websocket; websocket.create_connection"}, []string{pythonWith("websocket"), "-c", pythonSyncClient, url}},
		"curl":                    {[]string{"curl", "--version"}, []string{"bash", "-c", curlClient, "curl", url}},
		"node":                    {[]string{"node", "--experimental-websocket", "-e", "WebSocket"}, []string{"node", "--experimental-websocket", "-e", nodeClient, url}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := exec.Command(row.probe[0], row.probe[1:]...).Run(); err != nil {
				harness.Skip(t, row.probe[0]+" with what it needs is not installed")
			}
			if out, err := exec.Command(row.client[0], row.client[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// pythonWith prefers the first python3 of PATH; a distribution's package is there for its own python only.
func pythonWith(module string) string {
	if exec.Command("python3", "-c", "import "+module).Run() == nil {
		return "python3"
	}
	return "/usr/bin/python3"
}
