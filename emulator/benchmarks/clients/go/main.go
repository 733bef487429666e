// A crowd of clients that takes less of the machine than the server under load.
//
// Reads a job as one line of JSON from standard input.  Each further line is a number of transactions, which the
// clients share; the answer is a line of JSON.  A transaction that meets a conflict begins again.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Job says what the clients do.  Scripts: the statements of each client's transaction.
type Job struct {
	How      string        `json:"how"` // "driver" or "raw"
	Address  string        `json:"address"`
	Ledger   string        `json:"ledger"`
	Scripts  [][]Statement `json:"scripts"`
	ReadsRow bool          `json:"reads_row"` // the first statement must answer with one row
}

// Statement is a statement as the raw client sends it, and what the driver needs to make the same.
type Statement struct {
	Text       string        `json:"text"`
	Parameters []string      `json:"parameters"` // Ion binary in base64
	Digest     []byte        `json:"digest"`     // of the statement with its parameters
	Values     []interface{} `json:"values"`     // for the driver: texts, numbers, or {"registration": number}
}

// Client runs one transaction; it returns how often it met a conflict.
type Client interface {
	Transaction() (int, error)
}

// Answer is what a run took.
type Answer struct {
	ElapsedNs int64     `json:"elapsed_ns"`
	TakenMs   []float64 `json:"taken_ms"`
	Conflicts int       `json:"conflicts"`
}

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	var job Job
	check(json.Unmarshal(line(input), &job))
	clients := make([]Client, len(job.Scripts))
	for i, script := range job.Scripts {
		var err error
		if job.How == "raw" {
			clients[i], err = newRawClient(job, script)
		} else {
			clients[i], err = newDriverClient(job, script)
		}
		check(err)
	}
	for {
		text := strings.TrimSpace(string(line(input)))
		if text == "" {
			return
		}
		transactions, err := strconv.Atoi(text)
		check(err)
		answer, err := run(clients, transactions)
		check(err)
		octets, err := json.Marshal(answer)
		check(err)
		fmt.Println(string(octets))
	}
}

// run lets the clients take transactions until all are done.
func run(clients []Client, transactions int) (Answer, error) {
	var taken, conflicts atomic.Int64
	failures := make(chan error, len(clients))
	times := make([][]float64, len(clients))
	var group sync.WaitGroup
	began := time.Now()
	for i, client := range clients {
		group.Add(1)
		go func(i int, client Client) {
			defer group.Done()
			for taken.Add(1) <= int64(transactions) {
				start := time.Now()
				met, err := client.Transaction()
				if err != nil {
					failures <- err
					return
				}
				conflicts.Add(int64(met))
				times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/1e6)
			}
		}(i, client)
	}
	group.Wait()
	answer := Answer{ElapsedNs: time.Since(began).Nanoseconds(), Conflicts: int(conflicts.Load())}
	for _, each := range times {
		answer.TakenMs = append(answer.TakenMs, each...)
	}
	select {
	case err := <-failures:
		return answer, err
	default:
		return answer, nil
	}
}

// line returns the next line of the input; nothing at its end.
func line(input *bufio.Reader) []byte {
	octets, _ := input.ReadBytes('\n')
	return octets
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
