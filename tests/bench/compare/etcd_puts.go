// Durable puts into etcd, through the client and against the leader, for etcd_peer.cc. Debian's
// golang-etcd-server-dev has the client as a GOPATH package:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o etcd-puts tests/bench/compare/etcd_puts.go
//
// Each client has one put in flight, to keys of its own. Prints one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

type result struct {
	Puts          int64   `json:"puts"` // all, while it warmed up, too
	PutsPerSecond float64 `json:"puts_per_second"`
	P50           float64 `json:"p50_us"`
	P99           float64 `json:"p99_us"`
	P999          float64 `json:"p999_us"`
}

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "etcd-puts: %s: %v\n", what, err)
	os.Exit(1)
}

func connect(endpoint string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 10 * time.Second})
	if err != nil {
		fail("cannot connect to "+endpoint, err)
	}
	return client
}

// The endpoint that leads, asked of each in turn until one does.
func leader(endpoints []string, patience time.Duration) string {
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		for _, endpoint := range endpoints {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			client := connect(endpoint)
			status, err := client.Status(ctx, endpoint)
			client.Close()
			cancel()
			if err == nil && status.Leader != 0 && status.Leader == status.Header.MemberId {
				return endpoint
			}
		}
	}
	fail("no leader", fmt.Errorf("after %v at %s", patience, strings.Join(endpoints, ",")))
	return ""
}

func main() {
	endpoints := flag.String("endpoints", "", "host:port,... of the cluster")
	clients := flag.Int("clients", 1, "clients with one put in flight each")
	connections := flag.Int("connections", 1, "connections that they share")
	seconds := flag.Float64("seconds", 2, "how long, after a tenth of it to warm up")
	bytes := flag.Int("bytes", 1024, "of each value")
	keys := flag.Int("keys", 10000, "different keys")
	flag.Parse()
	target := leader(strings.Split(*endpoints, ","), 30*time.Second)
	pool := make([]*clientv3.Client, *connections)
	for i := range pool {
		pool[i] = connect(target)
	}
	value := strings.Repeat("v", *bytes)
	begin := time.Now().Add(time.Duration(*seconds * 0.1 * float64(time.Second)))
	end := begin.Add(time.Duration(*seconds * float64(time.Second)))
	var next int64
	taken := make([][]time.Duration, *clients)
	var all sync.WaitGroup
	for c := 0; c < *clients; c++ {
		all.Add(1)
		go func(c int) {
			defer all.Done()
			client := pool[c%len(pool)]
			for time.Now().Before(end) {
				key := fmt.Sprintf("user%d", 1000000+atomic.AddInt64(&next, 1)*7919%int64(*keys))
				started := time.Now()
				if _, err := client.Put(context.Background(), key, value); err != nil {
					fail("put", err)
				}
				if started.After(begin) {
					taken[c] = append(taken[c], time.Since(started))
				}
			}
		}(c)
	}
	all.Wait()
	var waits []time.Duration
	for _, some := range taken {
		waits = append(waits, some...)
	}
	if len(waits) == 0 {
		fail("too short", fmt.Errorf("no put was finished"))
	}
	sort.Slice(waits, func(a, b int) bool { return waits[a] < waits[b] })
	quantile := func(q float64) float64 {
		return float64(waits[int(q*float64(len(waits)-1))].Nanoseconds()) / 1000
	}
	json.NewEncoder(os.Stdout).Encode(result{
		Puts:          next,
		PutsPerSecond: float64(len(waits)) / time.Since(begin).Seconds(),
		P50:           quantile(0.5), P99: quantile(0.99), P999: quantile(0.999),
	})
}
