package baton

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/redis/go-redis/v9"

	"baton/config"
	"baton/handlers"
	"baton/handlers/channel"
	"baton/handlers/transport"
	"baton/middleware/admission"
	"baton/middleware/bearer"
	"baton/middleware/metrics"
	"baton/middleware/session"
	"baton/middleware/token"
	"baton/middleware/tracing"
	"baton/routes"
)

// Limits of the HTTP side, which serves probes, scrapes, the console and handshakes.
const (
	maxHeaderBytes = 8 << 10
	maxBodyBytes   = 4 << 10
	httpTimeout    = 10 * time.Second // to read a request, to write an answer
	idleTimeout    = 75 * time.Second // of a kept-alive HTTP connection
)

// maxCommitters bounds the committers of one Redis, one for every loop up to here: each
// holds one pipeline to Redis in flight, and a few keep Redis busy.
const maxCommitters = 4

// App is one process: what Start brought up, Stop brings down in reverse.
type App struct {
	cfg     config.Config
	log     *slog.Logger
	began   time.Time
	id      handlers.Identity
	metrics *metrics.Metrics
	slots   *admission.Slots
	tracing *tracing.Tracing // nil: off

	embedded   *session.Embedded // nil with a Redis
	store      *session.Store
	db         redis.UniversalClient
	committers []*session.Committer
	newHandler NewHandler
	channel    *channel.Redis // nil: within the process
	core       transport.Core
	hub        *handlers.Hub
	fiber      *fiber.App
	listener   net.Listener
	failed     chan error

	stopOnce sync.Once
	stopErr  error
}

// New wires a process; nothing runs yet. began is when the process started.
func New(cfg config.Config, log *slog.Logger, began time.Time, handler NewHandler) *App {
	id := handlers.Identity{Color: cfg.Color, Instance: instance(), Version: version, Commit: commit, StartedAt: began}
	a := &App{
		cfg: cfg, id: id, began: began, newHandler: handler, failed: make(chan error, 1),
		log:   log.With("color", cfg.Color, "instance", id.Instance),
		slots: admission.NewSlots(cfg.MaxConnections, cfg.MaxPerAddress),
	}
	a.metrics = metrics.New(metrics.Build{Version: version, Commit: commit, Color: cfg.Color},
		func() int64 { return a.hub.Live() }, func() bool { return a.hub.Draining() }, func() time.Duration { return a.hub.DrainedFor() })
	a.metrics.Limit.Set(float64(cfg.MaxConnections))
	return a
}

// instance names the process: its host and a number of its own.
func instance() string {
	var unique [4]byte
	_, _ = rand.Read(unique[:])
	host, err := os.Hostname()
	if err != nil {
		host = "baton"
	}
	return host + "-" + hex.EncodeToString(unique[:])
}

func (a *App) newHub(ctx context.Context) *handlers.Hub {
	committers, lane := a.store.Lanes(ctx)
	if lane == nil {
		committers = min(runtime.GOMAXPROCS(0), maxCommitters)
	}
	for range committers {
		a.committers = append(a.committers, a.store.NewCommitter(a.tracing.Batches(a.metrics)))
	}
	return handlers.NewHub(handlers.HubConfig{
		Color: a.id.Color, Instance: a.id.Instance,
		HeartbeatInterval: a.cfg.HeartbeatInterval, IdleTimeout: a.cfg.IdleTimeout,
		SessionTTL: a.cfg.SessionTTL, CommitTimeout: a.cfg.CommitTimeout,
		DrainSpread: a.cfg.DrainSpread, DrainTimeout: a.cfg.DrainTimeout,
		MaxMessageBytes: a.cfg.MaxMessageBytes, MessageRate: a.cfg.MessageRate, Slots: a.slots, Lane: lane,
	}, a.committers, a.metrics, a.log)
}

// openChannel gives the handler its way to all connections.
func (a *App) openChannel() {
	if a.cfg.ChannelLayer == "redis" {
		a.channel = channel.NewRedis(a.db, a.hub.Deliver, a.metrics, a.log)
		a.hub.Handle(a.newHandler(a.channel.Channel()))
		return
	}
	a.hub.Handle(a.newHandler(channel.NewMemory(a.hub.Deliver, a.metrics)))
}

func (a *App) newFiber() *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:               "baton",
		ErrorHandler:          routes.Error,
		DisableStartupMessage: true,
		ReduceMemoryUsage:     true,
		ReadBufferSize:        maxHeaderBytes,
		BodyLimit:             maxBodyBytes,
		ReadTimeout:           httpTimeout,
		WriteTimeout:          httpTimeout,
		IdleTimeout:           idleTimeout,
	})
	// Upgraded sockets are the transport core's: the HTTP server must not close them.
	app.Server().KeepHijackedConns = true
	routes.Register(app, routes.Deps{
		Log: a.log, Metrics: a.metrics, Tracing: a.tracing, Identity: a.id, Store: a.store, Slots: a.slots,
		Bearer: bearer.Config(a.cfg.JWT),
		Sessions: session.Config{
			Store: a.tracing.Claims(a.store), IDFormat: a.cfg.SessionIDFormat,
			Tokens: token.New(a.cfg.SessionKeys, a.cfg.SessionTokenTTL), Instance: a.id.Instance, Log: a.log,
		},
		Chat: handlers.NewChat(a.hub, a.core, a.metrics, a.log), Draining: a.hub.Draining,
		TrustedProxies: a.cfg.TrustedProxies, AllowedOrigins: a.cfg.AllowedOrigins, ConnectRate: a.cfg.ConnectRate,
	})
	return app
}
