package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// rawClient has the bytes of its requests beforehand, but for ids and the commit digest.  So it shows what the server
// alone can do.
type rawClient struct {
	connection net.Conn
	reader     *bufio.Reader
	readsRow   bool
	start      []byte
	executes   [][2][]byte // before and after the transaction's id
	commit     [3][]byte   // before the transaction's id, before the digest, after it
	digests    [][]byte
	request    []byte
}

const head = "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: QLDBSession.SendCommand\r\n" +
	"Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 " +
	"Credential=local/20250101/us-east-1/qldb/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: "

func newRawClient(job Job, script []Statement) (Client, error) {
	connection, err := net.Dial("tcp", job.Address)
	if err != nil {
		return nil, err
	}
	client := &rawClient{connection: connection, reader: bufio.NewReaderSize(connection, 1<<16), readsRow: job.ReadsRow}
	ledger, err := json.Marshal(job.Ledger)
	if err != nil {
		return nil, err
	}
	status, body, err := client.exchange([]byte(`{"StartSession":{"LedgerName":` + string(ledger) + `}}`))
	if err != nil || status != 200 {
		return nil, fmt.Errorf("StartSession: %d %s %v", status, body, err)
	}
	token := text(body, "SessionToken")
	begin := `{"SessionToken":"` + token + `",`
	client.start = []byte(begin + `"StartTransaction":{}}`)
	client.commit = [3][]byte{
		[]byte(begin + `"CommitTransaction":{"TransactionId":"`), []byte(`","CommitDigest":"`), []byte(`"}}`),
	}
	for _, statement := range script {
		quoted, err := json.Marshal(statement.Text)
		if err != nil {
			return nil, err
		}
		holders := make([]string, len(statement.Parameters))
		for i, parameter := range statement.Parameters {
			holders[i] = `{"IonBinary":"` + parameter + `"}`
		}
		client.executes = append(client.executes, [2][]byte{
			[]byte(begin + `"ExecuteStatement":{"TransactionId":"`),
			[]byte(`","Statement":` + string(quoted) + `,"Parameters":[` + strings.Join(holders, ",") + `]}}`),
		})
		client.digests = append(client.digests, statement.Digest)
	}
	return client, nil
}

func (client *rawClient) Transaction() (int, error) {
	for conflicts := 0; ; conflicts++ {
		status, body, err := client.exchange(client.start)
		if err != nil || status != 200 {
			return conflicts, fmt.Errorf("StartTransaction: %d %s %v", status, body, err)
		}
		id := text(body, "TransactionId")
		digest := hashOfString(id)
		for i, parts := range client.executes {
			status, body, err = client.exchange(parts[0], []byte(id), parts[1])
			if err != nil || status != 200 {
				return conflicts, fmt.Errorf("ExecuteStatement: %d %s %v", status, body, err)
			}
			if i == 0 && client.readsRow && bytes.Count(body, []byte(`"IonBinary"`)) != 1 {
				return conflicts, fmt.Errorf("not one row: %s", body)
			}
			digest = dot(digest, client.digests[i])
		}
		sent := []byte(base64.StdEncoding.EncodeToString(digest))
		status, body, err = client.exchange(client.commit[0], []byte(id), client.commit[1], sent, client.commit[2])
		if err != nil {
			return conflicts, err
		}
		if status == 200 {
			return conflicts, nil
		}
		if !bytes.Contains(body, []byte("OccConflict")) && !bytes.Contains(body, []byte("Optimistic concurrency")) {
			return conflicts, fmt.Errorf("CommitTransaction: %d %s", status, body)
		}
	}
}

// exchange sends a request body, given in parts; it returns the status and the body of the answer.
func (client *rawClient) exchange(parts ...[]byte) (int, []byte, error) {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	request := append(client.request[:0], head...)
	request = strconv.AppendInt(request, int64(length), 10)
	request = append(request, "\r\n\r\n"...)
	for _, part := range parts {
		request = append(request, part...)
	}
	client.request = request
	if _, err := client.connection.Write(request); err != nil {
		return 0, nil, err
	}
	status, length := 0, -1
	for {
		line, err := client.reader.ReadString('\n')
		if err != nil {
			return 0, nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "":
			if length < 0 {
				return 0, nil, fmt.Errorf("an answer without a length")
			}
			body := make([]byte, length)
			_, err = io.ReadFull(client.reader, body)
			return status, body, err
		case status == 0:
			status, err = strconv.Atoi(strings.Fields(line)[1])
		case len(line) > 15 && strings.EqualFold(line[:15], "content-length:"):
			length, err = strconv.Atoi(strings.TrimSpace(line[15:]))
		}
		if err != nil {
			return 0, nil, err
		}
	}
}

// text returns the string member of an answer.
func text(body []byte, name string) string {
	mark := []byte(`"` + name + `"`)
	rest := body[bytes.Index(body, mark)+len(mark):]
	rest = rest[bytes.IndexByte(rest, '"')+1:]
	return string(rest[:bytes.IndexByte(rest, '"')])
}

// hashOfString returns the Ion Hash of a string without bytes that need an escape, as ids are.
func hashOfString(value string) []byte {
	sum := sha256.Sum256([]byte("\x0b\x80" + value + "\x0e"))
	return sum[:]
}

// dot joins two hashes as QLDB does: the lesser first, read as little-endian numbers of signed bytes.
func dot(left, right []byte) []byte {
	for i := len(left) - 1; i >= 0; i-- {
		if left[i] != right[i] {
			if int8(left[i]) > int8(right[i]) {
				left, right = right, left
			}
			break
		}
	}
	sum := sha256.Sum256(append(append([]byte{}, left...), right...))
	return sum[:]
}
