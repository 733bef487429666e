package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/amzn/ion-go/ion"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession"
	"github.com/aws/aws-sdk-go-v2/service/qldbsession/types"
	"github.com/awslabs/amazon-qldb-driver-go/v3/qldbdriver"
)

// driverClient is a goroutine's own instance of the official driver, with one session.
type driverClient struct {
	driver     *qldbdriver.QLDBDriver
	statements []Statement
	parameters [][]interface{}
	readsRow   bool
}

type owner struct {
	PersonId string
}

type owners struct {
	PrimaryOwner    owner
	SecondaryOwners []owner
}

// registration is the document of benchmarks.documents.
type registration struct {
	VIN                        string
	LicensePlateNumber         string
	State                      string
	City                       string
	Mileage                    int
	PendingPenaltyTicketAmount *ion.Decimal
	ValidFromDate              ion.Timestamp
	ValidToDate                ion.Timestamp
	Owners                     owners
}

func newRegistration(number int) registration {
	from, _ := ion.ParseTimestamp("2017-08-21")
	to, _ := ion.ParseTimestamp("2020-05-11")
	return registration{
		VIN:                        fmt.Sprintf("1N4AL11D%09d", number),
		LicensePlateNumber:         fmt.Sprintf("LEWISR%07d", number),
		State:                      "WA",
		City:                       "Seattle",
		Mileage:                    number,
		PendingPenaltyTicketAmount: ion.NewDecimalInt(int64(90 + number%10)),
		ValidFromDate:              from,
		ValidToDate:                to,
		Owners: owners{
			PrimaryOwner:    owner{fmt.Sprintf("GddsXfIYfDlKCEprOLOw%02d", number%100)},
			SecondaryOwners: []owner{{fmt.Sprintf("IN7MvYtUjkp1GMZu0F6C%02d", number%100)}},
		},
	}
}

func newDriverClient(job Job, script []Statement) (Client, error) {
	endpoint := "http://" + job.Address
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
	})
	session := qldbsession.New(qldbsession.Options{Region: "us-east-1", Credentials: credentials, BaseEndpoint: &endpoint})
	driver, err := qldbdriver.New(job.Ledger, session, func(o *qldbdriver.DriverOptions) {
		o.LoggerVerbosity = qldbdriver.LogOff
		o.MaxConcurrentTransactions = 1
		// Conflicts are counted, and there is no pause after one.
		o.RetryPolicy = qldbdriver.RetryPolicy{MaxRetryLimit: 0}
	})
	if err != nil {
		return nil, err
	}
	client := &driverClient{driver: driver, statements: script, readsRow: job.ReadsRow}
	for _, statement := range script {
		var parameters []interface{}
		for _, value := range statement.Values {
			switch given := value.(type) {
			case float64:
				parameters = append(parameters, int(given))
			case map[string]interface{}:
				parameters = append(parameters, newRegistration(int(given["registration"].(float64))))
			default:
				parameters = append(parameters, value)
			}
		}
		client.parameters = append(client.parameters, parameters)
	}
	return client, nil
}

func (client *driverClient) Transaction() (int, error) {
	conflicts := 0
	for {
		_, err := client.driver.Execute(context.Background(), client.statementsOf)
		var conflict *types.OccConflictException
		if err == nil || !errors.As(err, &conflict) {
			return conflicts, err
		}
		conflicts++
	}
}

func (client *driverClient) statementsOf(transaction qldbdriver.Transaction) (interface{}, error) {
	for i, statement := range client.statements {
		result, err := transaction.Execute(statement.Text, client.parameters[i]...)
		if err != nil {
			return nil, err
		}
		rows := 0
		for result.Next(transaction) {
			rows++
		}
		if result.Err() != nil {
			return nil, result.Err()
		}
		if i == 0 && client.readsRow && rows != 1 {
			return nil, fmt.Errorf("%s gave %d rows", statement.Text, rows)
		}
	}
	return nil, nil
}
