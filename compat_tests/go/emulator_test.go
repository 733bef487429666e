// What every test needs: a ledger of its own, drivers, fault rules, and Ion values as parameters.
package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amzn/ion-go/ion"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	"github.com/aws/aws-sdk-go-v2/service/qldb/types"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession"
	"github.com/awslabs/amazon-qldb-driver-go/v3/qldbdriver"
)

var (
	ctx           = context.Background()
	endpoint      = os.Getenv("QLDB_ENDPOINT")
	endpointShort = os.Getenv("QLDB_ENDPOINT_SHORT")
	ledgers       atomic.Int64
	tables        atomic.Int64
	noRetry       = qldbdriver.RetryPolicy{MaxRetryLimit: 0, Backoff: backoff}
	backoff       = qldbdriver.ExponentialBackoffStrategy{SleepBase: time.Millisecond, SleepCap: 20 * time.Millisecond}
)

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
})

func control(endpoint string) *qldb.Client {
	return qldb.New(qldb.Options{Region: "us-east-1", Credentials: credentials, BaseEndpoint: &endpoint})
}

func newLedger(t *testing.T, endpoint string) string {
	t.Helper()
	name := fmt.Sprintf("go-%d-%d", os.Getpid(), ledgers.Add(1))
	_, err := control(endpoint).CreateLedger(ctx, &qldb.CreateLedgerInput{
		Name: &name, PermissionsMode: types.PermissionsModeStandard, DeletionProtection: aws.Bool(false)})
	noError(t, err)
	return name
}

func newDriver(t *testing.T, endpoint, ledger string, options ...func(*qldbdriver.DriverOptions)) *qldbdriver.QLDBDriver {
	t.Helper()
	session := qldbsession.New(qldbsession.Options{Region: "us-east-1", Credentials: credentials, BaseEndpoint: &endpoint})
	quiet := func(o *qldbdriver.DriverOptions) {
		o.LoggerVerbosity = qldbdriver.LogOff
		o.RetryPolicy = qldbdriver.RetryPolicy{MaxRetryLimit: 4, Backoff: backoff}
	}
	driver, err := qldbdriver.New(ledger, session, append([]func(*qldbdriver.DriverOptions){quiet}, options...)...)
	noError(t, err)
	t.Cleanup(func() { driver.Shutdown(ctx) })
	return driver
}

func without(o *qldbdriver.DriverOptions) { o.RetryPolicy = noRetry }

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, expected, actual T) {
	t.Helper()
	if expected != actual {
		t.Fatalf("expected %v, got %v", expected, actual)
	}
}

// run executes one statement in a transaction of its own; every row as Ion text.
func run(driver *qldbdriver.QLDBDriver, statement string, parameters ...interface{}) ([]string, error) {
	rows, err := driver.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
		return rowsOf(txn, statement, parameters...)
	})
	if err != nil {
		return nil, err
	}
	return rows.([]string), nil
}

func mustRun(t *testing.T, driver *qldbdriver.QLDBDriver, statement string, parameters ...interface{}) []string {
	t.Helper()
	rows, err := run(driver, statement, parameters...)
	noError(t, err)
	return rows
}

func rowsOf(txn qldbdriver.Transaction, statement string, parameters ...interface{}) ([]string, error) {
	result, err := txn.Execute(statement, parameters...)
	if err != nil {
		return nil, err
	}
	rows := []string{}
	for result.Next(txn) {
		rows = append(rows, text(result.GetCurrentData()))
	}
	return rows, result.Err()
}

func newTable(t *testing.T, driver *qldbdriver.QLDBDriver) string {
	t.Helper()
	name := fmt.Sprintf("T%d", tables.Add(1))
	equal(t, 1, len(mustRun(t, driver, "CREATE TABLE "+name)))
	return name
}

func admin(t *testing.T, method string, body map[string]interface{}) {
	t.Helper()
	data := []byte{}
	if body != nil {
		data, _ = json.Marshal(body)
	}
	request, err := http.NewRequest(method, endpoint+"/_qldb/faults", bytes.NewReader(data))
	noError(t, err)
	reply, err := http.DefaultClient.Do(request)
	noError(t, err)
	reply.Body.Close()
	equal(t, 200, reply.StatusCode)
}

func clearFaults(t *testing.T) { admin(t, "DELETE", nil) }

// ionValue is an Ion value given by its text, as a parameter: every type, typed nulls and annotations.
type ionValue string

func (value ionValue) MarshalIon(writer ion.Writer) error {
	return copyIon(ion.NewReaderString(string(value)), writer)
}

// ion-hash-go 1.1.2 hashes an annotated bool as nothing at all, so no such parameter can ever be committed with it.
const notHashed = "annotation::true"

// ionTexts are the lines of ion_values.ion, each plain and annotated, but for what the client cannot hash.
func ionTexts(t *testing.T) []string {
	data, err := os.ReadFile("../ion_values.ion")
	noError(t, err)
	texts := []string{}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		texts = append(texts, line)
		if annotated := "annotation::" + line; annotated != notHashed {
			texts = append(texts, annotated)
		}
	}
	return texts
}

func text(data []byte) string {
	buffer := bytes.Buffer{}
	writer := ion.NewTextWriterOpts(&buffer, ion.TextWriterQuietFinish)
	if err := copyIon(ion.NewReaderBytes(data), writer); err != nil {
		return err.Error()
	}
	if err := writer.Finish(); err != nil {
		return err.Error()
	}
	return buffer.String()
}

func copyIon(reader ion.Reader, writer ion.Writer) error {
	for reader.Next() {
		if err := copyValue(reader, writer); err != nil {
			return err
		}
	}
	return reader.Err()
}

func copyValue(reader ion.Reader, writer ion.Writer) error {
	if writer.IsInStruct() {
		name, err := reader.FieldName()
		if err != nil {
			return err
		}
		if name != nil { // the top level's name is written already
			if err := writer.FieldName(*name); err != nil {
				return err
			}
		}
	}
	annotations, err := reader.Annotations()
	if err != nil {
		return err
	}
	for _, annotation := range annotations {
		if err := writer.Annotation(ion.NewSymbolTokenFromString(*annotation.Text)); err != nil {
			return err
		}
	}
	if reader.IsNull() {
		if reader.Type() == ion.NullType {
			return writer.WriteNull()
		}
		return writer.WriteNullType(reader.Type())
	}
	switch reader.Type() {
	case ion.BoolType:
		value, err := reader.BoolValue()
		return first(err, func() error { return writer.WriteBool(*value) })
	case ion.IntType:
		value, err := reader.BigIntValue()
		return first(err, func() error { return writer.WriteBigInt(value) })
	case ion.FloatType:
		value, err := reader.FloatValue()
		return first(err, func() error { return writer.WriteFloat(*value) })
	case ion.DecimalType:
		value, err := reader.DecimalValue()
		return first(err, func() error { return writer.WriteDecimal(value) })
	case ion.TimestampType:
		value, err := reader.TimestampValue()
		return first(err, func() error { return writer.WriteTimestamp(*value) })
	case ion.SymbolType:
		value, err := reader.SymbolValue()
		return first(err, func() error { return writer.WriteSymbolFromString(*value.Text) })
	case ion.StringType:
		value, err := reader.StringValue()
		return first(err, func() error { return writer.WriteString(*value) })
	case ion.ClobType:
		value, err := reader.ByteValue()
		return first(err, func() error { return writer.WriteClob(value) })
	case ion.BlobType:
		value, err := reader.ByteValue()
		return first(err, func() error { return writer.WriteBlob(value) })
	}
	return copyContainer(reader, writer)
}

func copyContainer(reader ion.Reader, writer ion.Writer) error {
	begin, end := writer.BeginList, writer.EndList
	if reader.Type() == ion.SexpType {
		begin, end = writer.BeginSexp, writer.EndSexp
	} else if reader.Type() == ion.StructType {
		begin, end = writer.BeginStruct, writer.EndStruct
	}
	for _, step := range []func() error{begin, reader.StepIn, func() error { return copyIon(reader, writer) }, reader.StepOut, end} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func first(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}
