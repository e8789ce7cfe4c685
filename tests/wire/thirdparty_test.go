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
	python := pythonWithWebsockets()
	for name, row := range map[string]struct{ probe, client []string }{
		"python websockets": {[]string{python, "-c", "import websockets"}, []string{python, "-c", pythonClient, url}},
		"node":              {[]string{"node", "--experimental-websocket", "-e", "WebSocket"}, []string{"node", "--experimental-websocket", "-e", nodeClient, url}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := exec.Command(row.probe[0], row.probe[1:]...).Run(); err != nil {
				t.Skipf("not installed: %v", err) // never a reason to fail: it is a comparison, not a requirement
			}
			if out, err := exec.Command(row.client[0], row.client[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// pythonWithWebsockets prefers the first python3 of PATH; a distribution's package is there for its own python only.
func pythonWithWebsockets() string {
	if exec.Command("python3", "-c", "import websockets").Run() == nil {
		return "python3"
	}
	return "/usr/bin/python3"
}
