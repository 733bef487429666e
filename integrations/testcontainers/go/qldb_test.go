package qldb

import (
	"context"
	"net/http"
	"os/exec"
	"testing"

	"github.com/testcontainers/testcontainers-go"
)

func TestWhatTheEngineIsAskedFor(t *testing.T) {
	made, err := request(DefaultImage, WithSeeds("testdata/cars.partiql"))
	if err != nil {
		t.Fatal(err)
	}
	if len(made.ExposedPorts) != 1 || made.ExposedPorts[0] != "7532/tcp" || made.Env["QLDB_EMULATOR_EPHEMERAL"] != "1" {
		t.Errorf("ports %v, environment %v", made.ExposedPorts, made.Env)
	}
	if target := made.Files[0].ContainerFilePath; target != "/etc/localstack/init/ready.d/cars.partiql" {
		t.Errorf("the seed goes to %s", target)
	}
}

func TestItServes(t *testing.T) {
	if exec.Command("docker", "image", "inspect", DefaultImage).Run() != nil {
		t.Skip("needs a Docker engine with the image " + DefaultImage)
	}
	ctx := context.Background()
	container, err := Run(ctx, DefaultImage)
	testcontainers.CleanupContainer(t, container)
	if err != nil {
		t.Fatal(err)
	}
	url, err := container.URL(ctx)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(url + "/_qldb/ready")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", answer, err)
	}
}
