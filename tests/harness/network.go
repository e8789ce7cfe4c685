package harness

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Weather is how a network treats what it carries. The zero value is a fair one.
type Weather struct {
	Delay  time.Duration // of everything, each way
	Jitter time.Duration // more delay at most, each connection its own
	Rate   int           // bytes a second for each connection and way; 0: as many as come
	Chunk  int           // bytes that arrive at once; 0: as they were sent
	Hole   bool          // nothing arrives and nobody is told, until the weather changes
}

const (
	readAtOnce = 32 << 10 // bytes
	onTheWay   = 64       // parcels, before the sender is held up
)

// network carries connections through the weather of the moment.
type network struct {
	sky     sync.Mutex
	weather Weather
	changed chan struct{} // closed when the weather changes
}

// parcel is what was read at once, and when it arrives.
type parcel struct {
	data []byte
	due  time.Time
}

// Set changes the weather, for connections that are open too.
func (n *network) Set(w Weather) {
	n.sky.Lock()
	defer n.sky.Unlock()
	n.weather = w
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

func (n *network) now() (Weather, <-chan struct{}) {
	n.sky.Lock()
	defer n.sky.Unlock()
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	return n.weather, n.changed
}

// carry passes on one direction; its end is the end of both.
func (n *network) carry(from, to net.Conn) {
	parcels := make(chan parcel, onTheWay)
	var delivery sync.WaitGroup
	delivery.Go(func() { n.deliver(parcels, to) })
	luck := rand.Float64()
	buffer := make([]byte, readAtOnce)
	for {
		size, err := from.Read(buffer)
		weather, _ := n.now()
		due := time.Now().Add(weather.Delay + time.Duration(luck*float64(weather.Jitter)))
		if size > 0 {
			parcels <- parcel{append([]byte(nil), buffer[:size]...), due}
		}
		if err != nil {
			break
		}
	}
	close(parcels)
	delivery.Wait()
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

// deliver goes on after a failed write too: the sender must not be held up by it.
func (n *network) deliver(parcels <-chan parcel, to net.Conn) {
	for p := range parcels {
		weather, changed := n.now()
		for weather.Hole {
			<-changed
			weather, changed = n.now()
		}
		time.Sleep(time.Until(p.due))
		for len(p.data) > 0 {
			size := len(p.data)
			if weather.Chunk > 0 {
				size = min(size, weather.Chunk)
			}
			if _, err := to.Write(p.data[:size]); err != nil {
				break
			}
			if p.data = p.data[size:]; weather.Rate > 0 {
				time.Sleep(time.Duration(size) * time.Second / time.Duration(weather.Rate))
			}
		}
	}
}
