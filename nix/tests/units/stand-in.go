// Stands in for a program of the OP Stack in nix/tests/units.sh: binds every listener that its arguments name, answers
// what readiness is asked by, wants the files and keys that the real one wants, and stops cleanly. It is built as
// <name>, and that name says what it is.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "stand-in: "+format+"\n", values...)
	os.Exit(1)
}

// --name=value and --name, the latter as "true"
func flags() map[string]string {
	found := map[string]string{}
	for _, argument := range os.Args[1:] {
		name, value, given := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if !given {
			value = "true"
		}
		found[name] = value
	}
	return found
}

func reply(chainID string) http.HandlerFunc {
	head := map[string]any{"number": 100}
	results := map[string]any{
		"eth_chainId":         chainID,
		"optimism_syncStatus": map[string]any{"head_l1": head, "current_l1": head},
	}
	return func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Method string }
		_ = json.NewDecoder(r.Body).Decode(&request)
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": 1, "result": results[request.Method]})
	}
}

func listen(address string, handler http.Handler) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fail("%v", err)
	}
	go func() { fail("%v", http.Serve(listener, handler)) }()
}

// readable files and, where the program writes, a writable directory
func checkFiles(flags map[string]string) {
	for _, name := range []string{"l2.jwt-secret", "authrpc.jwtsecret", "rollup.config", "cannon-prestate", "cannon-l2-genesis"} {
		if file, given := flags[name]; given {
			if _, err := os.ReadFile(file); err != nil {
				fail("--%s: %v", name, err)
			}
		}
	}
	for _, name := range []string{"datadir", "safedb.path"} {
		if directory, given := flags[name]; given {
			if err := os.MkdirAll(directory, 0o700); err != nil {
				fail("--%s: %v", name, err)
			}
		}
	}
}

func checkKey(name string) {
	variable := map[string]string{
		"op-batcher": "OP_BATCHER_PRIVATE_KEY", "op-proposer": "OP_PROPOSER_PRIVATE_KEY",
		"op-challenger": "OP_CHALLENGER_PRIVATE_KEY",
	}[name]
	if variable != "" && len(os.Getenv(variable)) != 64 {
		fail("%s is not a key", variable)
	}
}

// ec-op-stack prestate: whether the test says that the hash is the one on chain
func prestate() int {
	if os.Getenv("EC_OP_STACK_L1_RPC") == "" {
		fail("no L1 endpoint")
	}
	if _, err := os.Stat("/opt/test/prestate-is-right"); err != nil {
		fmt.Fprintln(os.Stderr, "stand-in: the prestate is not the one on chain")
		return 1
	}
	return 0
}

// sd_notify: ready, then a sign of life every second
func watch() {
	if _, err := os.ReadFile(os.Getenv("CREDENTIALS_DIRECTORY") + "/key"); err != nil {
		fail("%v", err)
	}
	socket, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		fail("%v", err)
	}
	go func() {
		for state := "READY=1"; ; state = "WATCHDOG=1" {
			_, _ = socket.Write([]byte(state))
			time.Sleep(time.Second)
		}
	}()
}

func main() {
	name := filepath.Base(os.Args[0])
	flags := flags()
	switch {
	case name == "ec-op-stack":
		os.Exit(prestate())
	case name == "ec-witness" && os.Args[1] == "init":
		store := os.Getenv("STATE_DIRECTORY") + "/store"
		if err := os.Mkdir(store, 0o700); err != nil {
			fail("%v", err)
		}
		if err := os.WriteFile(store+"/votes.sqlite", nil, 0o600); err != nil {
			fail("%v", err)
		}
		return
	case name == "ec-witness":
		watch()
	}
	checkFiles(flags)
	checkKey(name)
	handler := reply(os.Getenv("STAND_IN_CHAIN_ID"))
	for flag := range flags {
		prefix, isPort := strings.CutSuffix(flag, ".port")
		if address, given := flags[prefix+".addr"]; isPort && given {
			listen(net.JoinHostPort(address, flags[flag]), handler)
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	fmt.Printf("stand-in: %s is up\n", name)
	<-stop
	time.Sleep(200 * time.Millisecond) // state is written down
	fmt.Printf("stand-in: %s stopped cleanly\n", name)
}
