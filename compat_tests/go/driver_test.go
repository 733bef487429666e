// The official Go driver against the emulator: what its users rely on.
package compat

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amzn/ion-go/ion"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	qldbtypes "github.com/aws/aws-sdk-go-v2/service/qldb/types"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession/types"
	"github.com/aws/smithy-go"
	"github.com/awslabs/amazon-qldb-driver-go/v3/qldbdriver"
)

const crossJoin = "SELECT * FROM %[1]s as a, %[1]s as b, %[1]s as c, %[1]s as d, %[1]s as e, %[1]s as f"

func is[T error](err error) bool {
	var wanted T
	return errors.As(err, &wanted)
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprintf("%T", err)
}

func TestMissingLedgerIsABadRequest(t *testing.T) {
	_, err := newDriver(t, endpoint, "nowhere").GetTableNames(ctx)
	equal(t, true, is[*types.BadRequestException](err))
}

func TestPools(t *testing.T) {
	ledger := newLedger(t, endpoint)
	driver := newDriver(t, endpoint, ledger, func(o *qldbdriver.DriverOptions) { o.MaxConcurrentTransactions = 1 })
	names, err := driver.GetTableNames(ctx)
	noError(t, err)
	equal(t, 0, len(names))
	_, err = driver.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
		_, inner := driver.GetTableNames(ctx)
		if inner == nil || !strings.Contains(inner.Error(), "MaxConcurrentTransactions") {
			t.Errorf("the pool should be used up, but: %v", inner)
		}
		if len(txn.ID()) != 22 {
			t.Errorf("transaction id %q", txn.ID())
		}
		return nil, nil
	})
	noError(t, err)
	driver.Shutdown(ctx)
	_, err = driver.GetTableNames(ctx)
	equal(t, "Cannot invoke methods on a closed QLDBDriver.", err.Error())
}

func TestTables(t *testing.T) {
	driver := newDriver(t, endpoint, newLedger(t, endpoint))
	table := newTable(t, driver)
	names, err := driver.GetTableNames(ctx)
	noError(t, err)
	equal(t, table, strings.Join(names, " "))
	equal(t, 1, len(mustRun(t, driver, "CREATE INDEX ON "+table+" (Name)")))
	rows := mustRun(t, driver, "SELECT VALUE indexes[0].expr FROM information_schema.user_tables WHERE status = 'ACTIVE' AND name = ?", table)
	equal(t, `"[Name]"`, strings.Join(rows, " "))
	// The service sent no error-type header with a Code, so this SDK shows the Code as the error's name, and programs ask
	// for it: ErrorCode() == "412" (recorded: tests of the Go driver).
	_, err = run(driver, "CREATE TABLE "+table)
	equal(t, "412", code(err))
	equal(t, true, strings.Contains(err.Error(), "Table with name: USER."+table+" already exists"))
	_, err = run(driver, "DELETE FROM NonExistentTable")
	equal(t, "432", code(err))
	equal(t, 1, len(mustRun(t, driver, "DROP TABLE "+table)))
	names, err = driver.GetTableNames(ctx)
	noError(t, err)
	equal(t, 0, len(names))
}

func TestDocuments(t *testing.T) {
	driver := newDriver(t, endpoint, newLedger(t, endpoint))
	table := newTable(t, driver)
	type document struct{ Name string }
	equal(t, 0, len(mustRun(t, driver, "SELECT * FROM "+table)))
	equal(t, 1, len(mustRun(t, driver, "INSERT INTO "+table+" ?", document{"one"})))
	equal(t, `"one"`, strings.Join(mustRun(t, driver, `SELECT VALUE Name FROM "`+table+`" WHERE Name = ?`, "one"), " "))
	equal(t, 2, len(mustRun(t, driver, "INSERT INTO "+table+" <<?, ?>>", document{"two"}, document{"three"})))
	equal(t, 2, len(mustRun(t, driver, "SELECT VALUE Name FROM "+table+" WHERE Name IN (?,?)", "two", "three")))
	equal(t, 1, len(mustRun(t, driver, "DELETE FROM "+table+" WHERE Name = ?", "one")))
	equal(t, 2, len(mustRun(t, driver, "DELETE FROM "+table)))
	equal(t, "{_1:0}", strings.Join(mustRun(t, driver, "SELECT COUNT(*) FROM "+table), " "))
}

func TestATransactionReadsWhatItWrote(t *testing.T) {
	driver := newDriver(t, endpoint, newLedger(t, endpoint))
	table := newTable(t, driver)
	mustRun(t, driver, "CREATE INDEX ON "+table+" (k)")
	rows, err := driver.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
		if _, err := txn.Execute("INSERT INTO "+table+" ?", map[string]int{"k": 1, "v": 1}); err != nil {
			return nil, err
		}
		if _, err := txn.Execute("UPDATE "+table+" SET v = ? WHERE k = ?", 2, 1); err != nil {
			return nil, err
		}
		return rowsOf(txn, "SELECT VALUE v FROM "+table+" WHERE k = ?", 1)
	})
	noError(t, err)
	equal(t, "2", strings.Join(rows.([]string), " "))
}

func TestEveryIonTypeIsInsertedFoundAndUpdatedTo(t *testing.T) {
	driver := newDriver(t, endpoint, newLedger(t, endpoint))
	table := newTable(t, driver)
	type document struct{ Name ionValue }
	for _, value := range ionTexts(t) {
		t.Run(value, func(t *testing.T) {
			condition, parameters := "Name = ?", []interface{}{ionValue(value)}
			if strings.Contains(value, "null") {
				condition, parameters = "Name IS NULL", nil
			}
			data, err := ion.MarshalBinary(ionValue(value))
			noError(t, err)
			find := func() {
				t.Helper()
				rows := mustRun(t, driver, "SELECT VALUE Name FROM "+table+" WHERE "+condition, parameters...)
				equal(t, text(data), strings.Join(rows, "|"))
			}
			equal(t, 1, len(mustRun(t, driver, "INSERT INTO "+table+" ?", document{ionValue(value)})))
			find()
			mustRun(t, driver, "UPDATE "+table+" SET Name = 'before'")
			equal(t, 1, len(mustRun(t, driver, "UPDATE "+table+" SET Name = ?", ionValue(value))))
			find()
			mustRun(t, driver, "DELETE FROM "+table)
		})
	}
}

func TestGoValuesAreFoundByEquality(t *testing.T) {
	driver := newDriver(t, endpoint, newLedger(t, endpoint))
	table := newTable(t, driver)
	now := time.Now().UTC()
	values := []interface{}{
		map[string]interface{}{"Name": "x"}, now, ion.NewTimestamp(now, ion.TimestampPrecisionNanosecond, ion.TimezoneUTC),
		true, math.MaxInt64, float32(math.MaxFloat32), math.MaxFloat64, []int{1, 2}, []string{"a", "b"}, []byte("bytes"),
	}
	for _, value := range values {
		t.Run(fmt.Sprintf("%T", value), func(t *testing.T) {
			equal(t, 1, len(mustRun(t, driver, "INSERT INTO "+table+" ?", map[string]interface{}{"Name": value})))
			equal(t, 1, len(mustRun(t, driver, "SELECT VALUE Name FROM "+table+" WHERE Name = ?", value)))
			mustRun(t, driver, "DELETE FROM "+table)
		})
	}
}

func TestTheCommitDigestAgreesOverParametersOfEveryType(t *testing.T) {
	driver := newDriver(t, endpoint, newLedger(t, endpoint), without)
	values := []interface{}{}
	for _, value := range ionTexts(t) {
		values = append(values, ionValue(value))
	}
	marks := strings.Repeat(",?", len(values))[1:]
	_, err := driver.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
		for _, value := range values {
			if _, err := txn.Execute("SELECT VALUE ? FROM <<0>>", value); err != nil {
				return nil, err
			}
		}
		return txn.Execute("SELECT VALUE ["+marks+"] FROM <<0>> /* é€😀 */", values...)
	})
	noError(t, err)
}

func TestPagesAndMetrics(t *testing.T) {
	driver := newDriver(t, endpoint, newLedger(t, endpoint))
	table := newTable(t, driver)
	mustRun(t, driver, "INSERT INTO "+table+" << {'col': 1}, {'col': 2}, {'col': 3} >>")
	statement := fmt.Sprintf(crossJoin, table)
	t.Run("streamed", func(t *testing.T) {
		_, err := driver.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
			result, err := txn.Execute(statement)
			if err != nil {
				return nil, err
			}
			early, rows := *result.GetConsumedIOs().GetReadIOs(), 0
			if early < 1 || early >= 1092 {
				t.Errorf("%d reads for the first page", early)
			}
			for result.Next(txn) {
				rows++
			}
			equal(t, 729, rows)
			equal(t, 1092, *result.GetConsumedIOs().GetReadIOs())
			equal(t, true, *result.GetTimingInformation().GetProcessingTimeMilliseconds() > 0)
			return nil, result.Err()
		})
		noError(t, err)
	})
	t.Run("buffered", func(t *testing.T) {
		buffered, err := driver.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
			result, err := txn.Execute(statement)
			if err != nil {
				return nil, err
			}
			return txn.BufferResult(result)
		})
		noError(t, err)
		rows, result := 0, buffered.(qldbdriver.BufferedResult)
		for result.Next() {
			rows++
		}
		equal(t, 729, rows)
		equal(t, 1092, *result.GetConsumedIOs().GetReadIOs())
		equal(t, true, *result.GetTimingInformation().GetProcessingTimeMilliseconds() > 0)
	})
}

func TestConflicts(t *testing.T) {
	ledger := newLedger(t, endpoint)
	driver := newDriver(t, endpoint, ledger)
	table := newTable(t, driver)
	mustRun(t, driver, "INSERT INTO "+table+" ?", map[string]int{"n": 0})
	for _, retries := range []bool{false, true} {
		t.Run(fmt.Sprintf("retries %v", retries), func(t *testing.T) {
			outer, attempts := newDriver(t, endpoint, ledger, without), 0
			if retries {
				outer = driver
			}
			_, err := outer.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
				if _, err := txn.Execute("SELECT VALUE n FROM " + table); err != nil {
					return nil, err
				}
				attempts++
				if attempts == 1 {
					return run(driver, "UPDATE "+table+" SET n = n + 1")
				}
				return nil, nil
			})
			if retries {
				noError(t, err)
				equal(t, 2, attempts)
			} else {
				equal(t, true, is[*types.OccConflictException](err))
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	driver := newDriver(t, endpointShort, newLedger(t, endpointShort))
	_, err := driver.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
		time.Sleep(1200 * time.Millisecond)
		return nil, nil
	})
	equal(t, true, is[*types.InvalidSessionException](err))
	equal(t, true, strings.Contains(err.Error(), "has expired"))
	mustRun(t, driver, "SELECT 1 FROM <<0>>")
}

func TestFaultsAndTheDriversRetries(t *testing.T) {
	if os.Getenv("QLDB_CLUSTER_DATABASE") != "" { // through a balancer a rule would reach one of the servers
		t.Skip("fault rules belong to one server")
	}
	ledger := newLedger(t, endpoint)
	driver := newDriver(t, endpoint, ledger)
	table := newTable(t, driver)
	cases := []struct {
		kind, command string
		retried       bool
		code          string
	}{
		{"occ", "CommitTransaction", true, "OccConflictException"},
		{"occ", "ExecuteStatement", true, "OccConflictException"},
		{"invalid-session", "ExecuteStatement", true, "InvalidSessionException"},
		{"transaction-expired", "CommitTransaction", false, "InvalidSessionException"},
		{"internal-failure", "ExecuteStatement", true, "InternalFailure"},
		{"internal-failure", "CommitTransaction", true, "InternalFailure"},
		{"service-unavailable", "CommitTransaction", true, "ServiceUnavailable"},
		{"capacity-exceeded", "ExecuteStatement", false, "CapacityExceededException"},
		{"rate-exceeded", "ExecuteStatement", false, "RateExceededException"},
		{"limit-exceeded", "StartTransaction", false, "LimitExceededException"},
		{"rate-exceeded", "StartSession", false, "RateExceededException"},
	}
	for _, c := range cases {
		t.Run(c.kind+" at "+c.command, func(t *testing.T) {
			mustRun(t, driver, "DELETE FROM "+table)
			admin(t, "POST", map[string]interface{}{"kind": c.kind, "commands": []string{c.command}, "ledger": ledger, "count": 2})
			defer clearFaults(t)
			attempts := 0
			fresh := newDriver(t, endpoint, ledger)
			_, err := fresh.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
				attempts++
				return txn.Execute("INSERT INTO "+table+" ?", map[string]int{"a": attempts})
			})
			rows := 0
			if c.retried {
				noError(t, err)
				equal(t, 3, attempts)
				rows = 1
			} else {
				equal(t, c.code, code(err))
			}
			clearFaults(t)
			equal(t, rows, len(mustRun(t, driver, "SELECT * FROM "+table)))
		})
	}
	for kind, rows := range map[string]int{"drop-before": 0, "drop-after": 1} {
		t.Run(kind, func(t *testing.T) {
			mustRun(t, driver, "DELETE FROM "+table)
			admin(t, "POST", map[string]interface{}{"kind": kind, "ledger": ledger, "count": 1, "statement": "^INSERT"})
			defer clearFaults(t)
			_, err := run(newDriver(t, endpoint, ledger), "INSERT INTO "+table+" ?", map[string]int{"a": 1})
			equal(t, false, err == nil)
			equal(t, rows, len(mustRun(t, driver, "SELECT * FROM "+table)))
		})
	}
}

func TestTheControlPlanesErrorsHaveTheirClasses(t *testing.T) {
	ledger := newLedger(t, endpoint)
	name := "nowhere"
	_, err := control(endpoint).DescribeLedger(ctx, &qldb.DescribeLedgerInput{Name: &name})
	equal(t, true, is[*qldbtypes.ResourceNotFoundException](err))
	_, err = control(endpoint).CreateLedger(ctx, &qldb.CreateLedgerInput{Name: &ledger, PermissionsMode: qldbtypes.PermissionsModeAllowAll})
	equal(t, true, is[*qldbtypes.ResourceAlreadyExistsException](err))
	_, err = control(endpoint).DeleteLedger(ctx, &qldb.DeleteLedgerInput{Name: &ledger})
	noError(t, err)
}

func TestSixteenWorkersMeetNothingUnexpected(t *testing.T) {
	seconds, err := strconv.ParseFloat(os.Getenv("QLDB_COMPAT_SECONDS"), 64)
	if err != nil {
		seconds = 4
	}
	driver := newDriver(t, endpoint, newLedger(t, endpoint), func(o *qldbdriver.DriverOptions) {
		o.RetryPolicy = qldbdriver.RetryPolicy{MaxRetryLimit: 100, Backoff: backoff}
	})
	table := newTable(t, driver)
	mustRun(t, driver, "CREATE INDEX ON "+table+" (k)")
	documents := []map[string]int{}
	for k := 0; k < 8; k++ {
		documents = append(documents, map[string]int{"k": k, "n": 0})
	}
	mustRun(t, driver, "INSERT INTO "+table+" ?", documents)
	until := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	var workers sync.WaitGroup
	var lock sync.Mutex
	done := map[int]int{}
	for worker := 0; worker < 16; worker++ {
		workers.Add(1)
		go func(k int) {
			defer workers.Done()
			for ; time.Now().Before(until); k++ {
				_, err := driver.Execute(ctx, func(txn qldbdriver.Transaction) (interface{}, error) {
					if _, err := rowsOf(txn, "SELECT VALUE n FROM "+table+" WHERE k = ?", k%8); err != nil {
						return nil, err
					}
					return txn.Execute("UPDATE "+table+" SET n = n + 1 WHERE k = ?", k%8)
				})
				if err != nil {
					t.Error(err)
					return
				}
				lock.Lock()
				done[k%8]++
				lock.Unlock()
			}
		}(worker)
	}
	workers.Wait()
	rows, expected := mustRun(t, driver, "SELECT k, n FROM "+table), []string{}
	for k, n := range done {
		expected = append(expected, fmt.Sprintf("{k:%d,n:%d}", k, n))
	}
	sort.Strings(rows)
	sort.Strings(expected)
	equal(t, strings.Join(expected, " "), strings.Join(rows, " "))
}
