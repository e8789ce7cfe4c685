package redisurl

import (
	"slices"
	"strings"
	"testing"
)

func TestSentinels(t *testing.T) {
	target, err := Parse("rediss+sentinel://app:p%40ss@10.0.0.1,sentinel-2:26380,[::1]/orders/3?sentinel_password=s%26s&sentinel_username=watch&client_name=chat")
	if err != nil {
		t.Fatal(err)
	}
	o := target.Sentinel
	if o.MasterName != "orders" || o.DB != 3 || o.Username != "app" || o.Password != "p@ss" || o.ClientName != "chat" {
		t.Errorf("got %+v", o)
	}
	if o.SentinelUsername != "watch" || o.SentinelPassword != "s&s" {
		t.Errorf("Sentinel's user %q, password %q", o.SentinelUsername, o.SentinelPassword)
	}
	if want := []string{"10.0.0.1:26379", "sentinel-2:26380", "[::1]:26379"}; !slices.Equal(o.SentinelAddrs, want) {
		t.Errorf("Sentinels %v, want %v", o.SentinelAddrs, want)
	}
	if o.TLSConfig == nil || o.TLSConfig.ServerName != "" {
		t.Errorf("TLS %+v: each node has a name of its own", o.TLSConfig)
	}
}

func TestSentinelsDefaults(t *testing.T) {
	for _, s := range []string{"redis+sentinel://h", "redis+sentinel://h/", "redis+sentinel://h:26379/mymaster", "redis+sentinel://h/mymaster/0"} {
		target, err := Parse(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		o := target.Sentinel
		if o.MasterName != "mymaster" || o.DB != 0 || !slices.Equal(o.SentinelAddrs, []string{"h:26379"}) || o.TLSConfig != nil || o.Username+o.Password+o.SentinelPassword != "" {
			t.Errorf("%s: %+v", s, o)
		}
	}
}

func TestCluster(t *testing.T) {
	target, err := Parse("rediss+cluster://app:p%2Fw@10.0.0.1,10.0.0.2:7001/0?pool_fifo=true")
	if err != nil {
		t.Fatal(err)
	}
	o := target.Cluster
	if o.Username != "app" || o.Password != "p/w" || !o.PoolFIFO || o.TLSConfig == nil || o.TLSConfig.ServerName != "" {
		t.Errorf("got %+v", o)
	}
	if want := []string{"10.0.0.1:6379", "10.0.0.2:7001"}; !slices.Equal(o.Addrs, want) {
		t.Errorf("nodes %v, want %v", o.Addrs, want)
	}
}

func TestSingle(t *testing.T) {
	for s, addr := range map[string]string{
		"redis://h": "h:6379", "rediss://u:p@h:1/2": "h:1", "unix:///run/redis.sock?db=1": "/run/redis.sock",
	} {
		if target, err := Parse(s); err != nil || target.Single.Addr != addr {
			t.Errorf("%s: %+v, %v", s, target.Single, err)
		}
	}
}

func TestBadURLsSayWhatIsAllowedAndNothingElse(t *testing.T) {
	for s, want := range map[string]string{
		"":                                     "must be a URL",
		"hunter2":                              "must be a URL",
		"http://hunter2":                       "must begin with",
		"redis+sentinels://hunter2":            "must begin with",
		"unix+sentinel://hunter2":              "must begin with",
		"redis://:hunter2@":                    "needs a host",
		"unix://?password=hunter2":             "needs the path",
		"redis://h/hunter2":                    "number of a database",
		"redis+sentinel://u:hunter2@":          "needs hosts",
		"redis+sentinel://u:hunter2@h,,i":      "needs hosts",
		"redis+sentinel://u:hunter2@h:x":       "must be a URL",
		"redis+sentinel://u:hunter2@h,i:x":     "needs hosts",
		"redis+sentinel://h/m/hunter2":         "the number of a database",
		"redis+sentinel://h/m/0/hunter2":       "the number of a database",
		"redis+sentinel://h/m?hunter2=1":       "may follow the question mark",
		"redis+sentinel://h/m?master_name=x":   "the path is the master's name",
		"redis+sentinel://h?replica_only=true": "must not read from replicas",
		"redis+cluster://h,u:hunter2@h/1":      "database 0 only",
		"redis+cluster://h?read_only=true":     "must not read from replicas",
		"redis+cluster://h?hunter2=1":          "may follow the question mark",
		"redis+cluster://h?addr=hunter2:1":     "must be a URL",
	} {
		_, err := Parse(s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v shows the URL", s, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"redis://h", "redis+sentinel://u:p@h:1,i/m/1?sentinel_password=x", "rediss+cluster://h,[::1]:2", "unix:///s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := Parse(s)
		if set := target.Single != nil || target.Sentinel != nil || target.Cluster != nil; set == (err != nil) {
			t.Errorf("%q: %+v, %v", s, target, err)
		}
	})
}
