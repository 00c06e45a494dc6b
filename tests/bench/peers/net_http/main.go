// A server of the measured routes by Go's own library, on one processor. As every peer it is started
// with `serve --port 0` and further flags, which it need not know, and says on lines of their own
// where it is "listening" and, when it serves, how to "stop" it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
)

// The statistics of the challenge. A float holds the sum exactly: the values are multiples of a half.
var (
	lock  sync.Mutex
	total uint64
	sum   float64
	users = map[string]struct{}{}
)

type message struct {
	Message string `json:"message"`
}

type event struct {
	UserID string  `json:"userId"`
	Value  float64 `json:"value"`
}

type stats struct {
	TotalRequests uint64  `json:"totalRequests"`
	UniqueUsers   int     `json:"uniqueUsers"`
	Sum           float64 `json:"sum"`
	Avg           float64 `json:"avg"`
}

// on serves one method of one path.
func on(method, path string, serve http.HandlerFunc) {
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	})
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	bytes, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	w.Write(bytes)
}

func main() {
	runtime.GOMAXPROCS(1)
	on("GET", "/plaintext", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "Hello, World!")
	})
	on("GET", "/json", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, message{"Hello, World!"})
	})
	on("POST", "/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	})
	on("POST", "/event", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var e event
		if err != nil || json.Unmarshal(body, &e) != nil || e.UserID == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		lock.Lock()
		total++
		sum += e.Value
		users[e.UserID] = struct{}{}
		lock.Unlock()
	})
	on("GET", "/stats", func(w http.ResponseWriter, _ *http.Request) {
		lock.Lock()
		now := stats{TotalRequests: total, UniqueUsers: len(users), Sum: sum}
		lock.Unlock()
		if now.TotalRequests > 0 {
			now.Avg = now.Sum / float64(now.TotalRequests)
		}
		writeJSON(w, now)
	})
	on("POST", "/reset", func(w http.ResponseWriter, _ *http.Request) {
		lock.Lock()
		total, sum, users = 0, 0, map[string]struct{}{}
		lock.Unlock()
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening http://%v\nstop Ctrl-C\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
