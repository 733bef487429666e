// Package qldb runs qldb-emulator in a container for a test, with testcontainers-go.
package qldb

import (
	"context"
	"path/filepath"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	// DefaultImage is what docker/Dockerfile makes.
	DefaultImage = "qldb-emulator:latest"
	port         = "7532/tcp"
	initFolder   = "/etc/localstack/init/ready.d/"
)

// Container is a running emulator.
type Container struct {
	testcontainers.Container
}

// WithSeeds fills ledgers from files (.partiql, .ion, .json) before the container is ready.
func WithSeeds(files ...string) testcontainers.CustomizeRequestOption {
	return func(request *testcontainers.GenericContainerRequest) error {
		for _, file := range files {
			request.Files = append(request.Files, testcontainers.ContainerFile{
				HostFilePath:      file,
				ContainerFilePath: initFolder + filepath.Base(file),
				FileMode:          0o444,
			})
		}
		return nil
	}
}

func request(image string, options ...testcontainers.ContainerCustomizer) (testcontainers.GenericContainerRequest, error) {
	made := testcontainers.GenericContainerRequest{
		ContainerRequest: testcontainers.ContainerRequest{
			Image:        image,
			ExposedPorts: []string{port},
			Env:          map[string]string{"QLDB_EMULATOR_EPHEMERAL": "1"},
			WaitingFor:   wait.ForHTTP("/_qldb/ready").WithPort(port),
		},
		Started: true,
	}
	for _, option := range options {
		if err := option.Customize(&made); err != nil {
			return made, err
		}
	}
	return made, nil
}

// Run starts the emulator and waits until its seeds have run.
func Run(ctx context.Context, image string, options ...testcontainers.ContainerCustomizer) (*Container, error) {
	made, err := request(image, options...)
	if err != nil {
		return nil, err
	}
	container, err := testcontainers.GenericContainer(ctx, made)
	if container == nil {
		return nil, err
	}
	return &Container{container}, err
}

// URL is where the server listens, seen from the test.
func (c *Container) URL(ctx context.Context) (string, error) {
	return c.PortEndpoint(ctx, port, "http")
}
