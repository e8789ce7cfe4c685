// Package redisurl reads REDIS_URL: one Redis, one that Sentinels watch over, or a Cluster.
package redisurl

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Target is what a URL names: one of the three is set.
type Target struct {
	Single   *redis.Options
	Sentinel *redis.FailoverOptions
	Cluster  *redis.ClusterOptions
}

// Ports and the master's name where a URL leaves them out: Redis's own.
const (
	sentinelPort  = "26379"
	clusterPort   = "6379"
	defaultMaster = "mymaster"
)

const schemes = "redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"

var (
	errScheme   = errors.New("must begin with " + schemes)
	errUnparsed = errors.New("must be a URL: " + schemes + " (special characters in the password need %-encoding)")
	errHost     = errors.New("needs a host, such as redis://127.0.0.1:6379/0")
	errPort     = errors.New("has a port over 65535")
	errSocket   = errors.New("needs the path of a socket, such as unix:///run/redis.sock")
	errSingle   = errors.New("is not a URL of Redis: the path is the number of a database, and only the Redis client's own options may follow the question mark")
	errHosts    = errors.New("needs hosts with or without a port, comma-separated, such as redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster/0")
	errSentinel = errors.New("is not a URL of Sentinels: the path is the master's name and the number of a database, /mymaster/0, and only sentinel_username, sentinel_password and the Redis client's own options may follow the question mark")
	errCluster  = errors.New("is not a URL of a Cluster: it has database 0 only, and only the Redis client's own options may follow the question mark")
	errReplicas = errors.New("must not read from replicas: a count is read where it is written, so route_by_latency, route_randomly, replica_only and read_only are not taken")
)

// Parse reads a URL. Its errors say what is allowed and show nothing of the URL.
//
//	redis://[user:password@]host[:6379][/db]                                also rediss://, unix://
//	redis+sentinel://[user:password@]host[:26379],…[/master[/db]]           also rediss+sentinel://
//	redis+cluster://[user:password@]host[:6379],…                           also rediss+cluster://
//
// User and password are those of Redis; Sentinel's own are the options sentinel_username and sentinel_password. The
// options are those of go-redis.
func Parse(s string) (Target, error) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return Target{}, errUnparsed
	}
	base, kind, _ := strings.Cut(scheme, "+")
	switch {
	case (base == "redis" || base == "rediss") && kind == "sentinel":
		return sentinel(base, rest)
	case (base == "redis" || base == "rediss") && kind == "cluster":
		return cluster(base, rest)
	default:
		return single(s)
	}
}

func single(s string) (Target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, errUnparsed
	}
	switch u.Scheme {
	case "redis", "rediss":
		if u.Hostname() == "" {
			return Target{}, errHost
		}
		if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil && u.Port() != "" {
			return Target{}, errPort
		}
	case "unix":
		if u.Path == "" {
			return Target{}, errSocket
		}
	default:
		return Target{}, errScheme
	}
	options, err := redis.ParseURL(s)
	if err != nil {
		return Target{}, errSingle
	}
	return Target{Single: options}, nil
}

// sentinel hands go-redis the URL in its own spelling: there the user is Sentinel's, and the master an option.
func sentinel(scheme, rest string) (Target, error) {
	u, query, err := split(scheme, rest, sentinelPort)
	if err != nil {
		return Target{}, err
	}
	master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		master = defaultMaster
	}
	user, password := u.User.Username(), ""
	if u.User != nil {
		password, _ = u.User.Password()
	}
	if query.Has("master_name") || query.Has("db") {
		return Target{}, errSentinel
	}
	u.Path, u.User = "/"+db, url.UserPassword(query.Get("sentinel_username"), query.Get("sentinel_password"))
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	query.Set("master_name", master)
	set(query, "username", user)
	set(query, "password", password)
	u.RawQuery = query.Encode()
	options, err := redis.ParseFailoverURL(u.String())
	if err != nil {
		return Target{}, errSentinel
	}
	if options.RouteByLatency || options.RouteRandomly || options.ReplicaOnly {
		return Target{}, errReplicas
	}
	anyServerName(options.TLSConfig)
	return Target{Sentinel: options}, nil
}

func cluster(scheme, rest string) (Target, error) {
	u, query, err := split(scheme, rest, clusterPort)
	if err != nil {
		return Target{}, err
	}
	if path := strings.Trim(u.Path, "/"); path != "" && path != "0" {
		return Target{}, errCluster
	}
	u.RawQuery = query.Encode()
	options, err := redis.ParseClusterURL(u.String())
	if err != nil {
		return Target{}, errCluster
	}
	if options.ReadOnly || options.RouteByLatency || options.RouteRandomly {
		return Target{}, errReplicas
	}
	anyServerName(options.TLSConfig)
	return Target{Cluster: options}, nil
}

// split takes a URL of several hosts apart: net/url knows one. The first stays in the URL, the others are go-redis's
// option addr.
func split(scheme, rest, port string) (*url.URL, url.Values, error) {
	single, hosts := Hosts(scheme + "://" + rest)
	u, err := url.Parse(single)
	if err != nil {
		return nil, nil, errUnparsed
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || query.Has("addr") || u.Fragment != "" {
		return nil, nil, errUnparsed
	}
	for i, host := range hosts {
		if hosts[i] = address(host, port); hosts[i] == "" {
			return nil, nil, errHosts
		}
	}
	u.Host = hosts[0]
	query["addr"] = hosts[1:]
	return u, query, nil
}

// Hosts returns a URL with the first of its comma-separated hosts alone, and all of them.
func Hosts(s string) (single string, hosts []string) {
	scheme, rest, _ := strings.Cut(s, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	begin := strings.LastIndex(rest[:end], "@") + 1
	hosts = strings.Split(rest[begin:end], ",")
	return scheme + "://" + rest[:begin] + hosts[0] + rest[end:], hosts
}

// address is host:port, or empty for what is none.
func address(s, port string) string {
	u, err := url.Parse("redis://" + s)
	if err != nil || u.Hostname() == "" || u.Host != s {
		return ""
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func set(query url.Values, name, value string) {
	if query.Del(name); value != "" {
		query.Set(name, value)
	}
}

// anyServerName has each node's certificate checked for the name that it was dialled by. go-redis would expect
// the first host's on all of them.
func anyServerName(config *tls.Config) {
	if config != nil {
		config.ServerName = ""
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	}
}
