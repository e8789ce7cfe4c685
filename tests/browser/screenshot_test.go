package browser

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"baton/tests/harness"
)

// envScreenshots names a directory that the tests leave pictures of the console in.
const envScreenshots = "BATON_SCREENSHOTS"

// TestConsolePictures makes the pictures of the documentation.
func TestConsolePictures(t *testing.T) {
	if os.Getenv(envScreenshots) == "" {
		t.Skip(envScreenshots + " is not set")
	}
	redis := harness.StartRedis(t)
	start := func(color string) *harness.Server {
		return serve(t, harness.Env{"REDIS_URL": redis.URL(), "COLOR": color, "HEARTBEAT_INTERVAL": "1s", "DRAIN_SPREAD": "1s"})
	}
	blue, green := start("blue"), start("green")
	desktop := chromedp.EmulateViewport(1100, 1220)
	front := harness.Balance(t, blue.Addr)
	p := browse(t, "http://"+front.Addr+"/", scheme("light"), desktop)
	p.shows("status", "Connected to blue")
	p.click("burst")
	p.shows("heartbeats", "2")
	p.click("break")
	p.shows("status", "Resumed on blue")
	p.click("burst")
	p.intact("200")
	screenshot(p, "console-light")

	moved := browse(t, "http://"+harness.Balance(t, green.Addr).Addr+"/?session_id="+p.text("session"), scheme("dark"), desktop)
	moved.shows("status", "Connected to green")
	moved.click("burst")
	moved.click("break")
	moved.shows("status", "Resumed on green")
	moved.click("burst")
	moved.intact("400")
	moved.shows("heartbeats", "2")
	screenshot(moved, "console-dark")
	moved.do(chromedp.EmulateViewport(390, 1500, chromedp.EmulateMobile), scheme("light"))
	screenshot(moved, "console-phone")

	p.do(chromedp.Evaluate("document.getElementById('burst').click()", nil))
	p.shows("ended-text", "4001")
	screenshot(p, "ended")
}

func scheme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}})
}

func screenshot(p *page, name string) {
	p.t.Helper()
	dir := os.Getenv(envScreenshots)
	if dir == "" {
		return
	}
	eval[bool](p, "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))), true")
	harness.Eventually(p.t, patience, "the transitions end", func() bool { return eval[int](p, "document.getAnimations().length") == 0 })
	var picture []byte
	p.do(chromedp.CaptureScreenshot(&picture))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), smaller(p.t, picture), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// smaller packs a picture again, on a palette: few colors are on the page, and the documentation stays light.
func smaller(t testing.TB, picture []byte) []byte {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bounds := decoded.Bounds()
	flat := image.NewPaletted(bounds, paletteOf(decoded))
	draw.Draw(flat, bounds, decoded, bounds.Min, draw.Src)
	var packed bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&packed, flat); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// paletteOf is the commonest color of each shade, of the commonest shades.
func paletteOf(picture image.Image) color.Palette {
	const colors, shadeBits = 256, 4
	type shade [3]uint32
	used, commonest, size := map[color.Color]int{}, map[shade]color.Color{}, map[shade]int{}
	bounds := picture.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := picture.At(x, y)
			r, g, b, _ := c.RGBA()
			s := shade{r >> (16 - shadeBits), g >> (16 - shadeBits), b >> (16 - shadeBits)}
			used[c]++
			size[s]++
			if best, ok := commonest[s]; !ok || used[c] > used[best] {
				commonest[s] = c
			}
		}
	}
	bySize := slices.SortedFunc(maps.Keys(size), func(a, b shade) int { return size[b] - size[a] })
	var palette color.Palette
	for _, s := range bySize[:min(colors, len(bySize))] {
		palette = append(palette, commonest[s])
	}
	return palette
}
