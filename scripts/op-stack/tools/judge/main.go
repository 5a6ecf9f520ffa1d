// judge lets the OP Stack's own code judge files and arguments, for the conformance test of ec-op-stack.
//
// Each line of its input is a case, each line of its output the verdict on it, in the same order:
//
//	{"kind":"rollup","text":"…"}                                    op-node's decoder and Config.Check
//	{"kind":"genesis","text":"…"}                                   op-geth's decoder, its rules for a genesis, and the block's hash
//	{"kind":"intent","text":"…"}                                    op-deployer's decoder and Intent.Check
//	{"kind":"args","program":"op-batcher","args":[…],"env":{…}}     the program's flags, its variables and its own checks
//
//	{"accept":false,"reason":"block time cannot be 0"}
//
// `judge flags PROGRAM` prints the program's flags with their kinds and variables, a line for each name.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"

	"github.com/ethereum-optimism/optimism/op-batcher/batcher"
	batcherflags "github.com/ethereum-optimism/optimism/op-batcher/flags"
	challengerflags "github.com/ethereum-optimism/optimism/op-challenger/flags"
	"github.com/ethereum-optimism/optimism/op-deployer/pkg/deployer/state"
	monitorflags "github.com/ethereum-optimism/optimism/op-dispute-mon/flags"
	opnode "github.com/ethereum-optimism/optimism/op-node"
	nodeflags "github.com/ethereum-optimism/optimism/op-node/flags"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	proposerflags "github.com/ethereum-optimism/optimism/op-proposer/flags"
	"github.com/ethereum-optimism/optimism/op-proposer/proposer"
	"github.com/ethereum-optimism/optimism/op-service/cliapp"
)

type question struct {
	Kind    string            `json:"kind"`
	Text    string            `json:"text"`
	Program string            `json:"program"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env"`
}

type verdict struct {
	Accept bool   `json:"accept"`
	Reason string `json:"reason,omitempty"`
	Hash   string `json:"hash,omitempty"`
}

// program is what its main package makes of the command line, up to where it would begin to call others.
type program struct {
	flags    []cli.Flag
	commands []string
	check    func(*cli.Context) error
}

var quiet = log.NewLogger(log.DiscardHandler())

var programs = map[string]program{
	"op-node": {nodeflags.Flags, []string{"p2p", "genesis", "doc", "networks", "interop"}, func(ctx *cli.Context) error {
		_, err := opnode.NewConfig(ctx, quiet)
		return err
	}},
	"op-batcher": {batcherflags.Flags, []string{"doc"}, func(ctx *cli.Context) error {
		if err := batcherflags.CheckRequired(ctx); err != nil {
			return err
		}
		return batcher.NewConfig(ctx).Check()
	}},
	"op-proposer": {proposerflags.Flags, []string{"doc"}, func(ctx *cli.Context) error {
		if err := proposerflags.CheckRequired(ctx); err != nil {
			return err
		}
		return proposer.NewConfig(ctx).Check()
	}},
	"op-challenger": {challengerflags.Flags, []string{"list-games", "list-claims", "list-credits", "create-game", "move", "resolve", "resolve-claim", "run-trace"},
		func(ctx *cli.Context) error {
			config, err := challengerflags.NewConfigFromCLI(ctx, quiet)
			if err != nil {
				return err
			}
			return config.Check()
		}},
	"op-dispute-mon": {monitorflags.Flags, nil, func(ctx *cli.Context) error {
		config, err := monitorflags.NewConfigFromCLI(ctx)
		if err != nil {
			return err
		}
		return config.Check()
	}},
}

var errNotStarted = errors.New("it ends without starting the service")

func judge(q question) (hash string, err error) {
	// some of these programs' flags panic over what they were not made for: that is no start either
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	switch q.Kind {
	case "rollup":
		return "", judgeRollup(q.Text)
	case "genesis":
		return judgeGenesis(q.Text)
	case "intent":
		var intent state.Intent
		if _, err := toml.NewDecoder(strings.NewReader(q.Text)).Decode(&intent); err != nil {
			return "", err
		}
		return "", intent.Check()
	case "args":
		return "", judgeArgs(q)
	}
	return "", fmt.Errorf("there is no kind %q", q.Kind)
}

func judgeRollup(text string) error {
	var config rollup.Config
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		return err
	}
	if err := config.Check(); err != nil {
		return err
	}
	if config.ProbablyMissingPectraBlobSchedule() {
		return errors.New("missing pectra_blob_schedule_time")
	}
	return nil
}

func judgeGenesis(text string) (string, error) {
	genesis := new(core.Genesis)
	if err := json.NewDecoder(strings.NewReader(text)).Decode(genesis); err != nil {
		return "", err
	}
	if genesis.Number != 0 {
		return "", errors.New("can't commit genesis block with number > 0")
	}
	if genesis.Config == nil {
		return "", errors.New("invalid genesis without chain config")
	}
	if err := genesis.Config.CheckConfigForkOrder(); err != nil {
		return "", err
	}
	if genesis.Config.TerminalTotalDifficulty == nil {
		return "", errors.New("'terminalTotalDifficulty' is not set in genesis block")
	}
	return genesis.ToBlock().Hash().Hex(), nil
}

// fresh copies flags: a run leaves in them what a variable had set.
func fresh(flags []cli.Flag) []cli.Flag {
	copies := make([]cli.Flag, 0, len(flags))
	for _, flag := range flags {
		copied := reflect.New(reflect.TypeOf(flag).Elem())
		copied.Elem().Set(reflect.ValueOf(flag).Elem())
		copies = append(copies, copied.Interface().(cli.Flag))
	}
	return copies
}

func judgeArgs(q question) error {
	program, known := programs[q.Program]
	if !known {
		return fmt.Errorf("there is no program %q", q.Program)
	}
	os.Clearenv()
	for name, value := range q.Env {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	started := false
	app := cli.NewApp()
	app.Version = "v0.0.0"
	app.Flags = cliapp.ProtectFlags(fresh(program.flags))
	app.Writer, app.ErrWriter = io.Discard, io.Discard
	app.ExitErrHandler = func(*cli.Context, error) {}
	for _, name := range program.commands {
		app.Commands = append(app.Commands, &cli.Command{Name: name, SkipFlagParsing: true, Action: func(*cli.Context) error { return nil }})
	}
	app.Action = func(ctx *cli.Context) error {
		started = true
		return program.check(ctx)
	}
	if err := app.Run(append([]string{q.Program}, q.Args...)); err != nil {
		return err
	}
	if !started {
		return errNotStarted
	}
	return nil
}

func serve(in io.Reader, out io.Writer) error {
	reader := bufio.NewReader(in)
	writer := bufio.NewWriter(out)
	defer writer.Flush()
	for {
		line, ended := reader.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var q question
			if err := json.Unmarshal(line, &q); err != nil {
				return fmt.Errorf("not a case: %w", err)
			}
			v := verdict{Accept: true}
			hash, err := judge(q)
			if err != nil {
				v = verdict{Reason: err.Error()}
			}
			v.Hash = hash
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			if _, err := writer.Write(append(text, '\n')); err != nil {
				return err
			}
			if err := writer.Flush(); err != nil {
				return err
			}
		}
		if ended == io.EOF {
			return nil
		} else if ended != nil {
			return ended
		}
	}
}

// kind of a flag, as its parser has it: what a value of it must look like.
func kind(flag cli.Flag) string {
	switch flag.(type) {
	case *cli.BoolFlag:
		return "bool"
	case *cli.IntFlag, *cli.Int64Flag:
		return "int"
	case *cli.UintFlag, *cli.Uint64Flag:
		return "uint"
	case *cli.Float64Flag:
		return "float"
	case *cli.DurationFlag:
		return "duration"
	case *cli.StringSliceFlag:
		return "list"
	case *cli.StringFlag, *cli.PathFlag:
		return "text"
	case *cli.GenericFlag:
		return "own"
	}
	return fmt.Sprintf("%T", flag)
}

func printFlags(name string) error {
	program, known := programs[name]
	if !known {
		return fmt.Errorf("there is no program %q", name)
	}
	var lines []string
	for _, flag := range program.flags {
		variables := ""
		if documented, ok := flag.(cli.DocGenerationFlag); ok {
			variables = strings.Join(documented.GetEnvVars(), " ")
		}
		for _, alias := range flag.Names() {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", alias, kind(flag), variables)))
		}
	}
	lines = append(lines, "help bool", "h bool", "version bool", "v bool")
	sort.Strings(lines)
	fmt.Println(strings.Join(lines, "\n"))
	return nil
}

func main() {
	log.SetDefault(quiet)
	var err error
	switch {
	case len(os.Args) == 1:
		err = serve(os.Stdin, os.Stdout)
	case len(os.Args) == 3 && os.Args[1] == "flags":
		err = printFlags(os.Args[2])
	default:
		err = errors.New("usage: judge <CASES, or judge flags PROGRAM")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(2)
	}
}
