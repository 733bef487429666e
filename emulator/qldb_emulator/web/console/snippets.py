"""How a program of each language connects to this server: for the Connect page.  docs/clients.md says more."""

from __future__ import annotations

from ...records import dataclass


@dataclass(frozen=True, slots=True)
class Snippet:
    """One language.  language: its name.  needs: how to get what it imports.  text: the program."""

    language: str
    needs: str
    text: str


def snippets(url: str, region: str, ledger: str) -> list[Snippet]:
    """The snippets for a server's address.  url: without a slash at its end."""
    return [
        Snippet(name, needs, text.strip("\n").format(url=url, region=region, ledger=ledger))
        for name, needs, text in _ALL
    ]


_ALL = (
    (
        "Any shell",
        "the environment that SDKs read",
        """
export AWS_ENDPOINT_URL_QLDB={url}
export AWS_ENDPOINT_URL_QLDB_SESSION={url}
export AWS_DEFAULT_REGION={region}
export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
""",
    ),
    (
        "curl",
        "no SDK at all: plain JSON",
        """
curl -s '{url}/_qldb/ledgers/{ledger}/statements' \\
  -H 'Content-Type: application/json' \\
  -d '{{"statement": "SELECT * FROM information_schema.user_tables"}}'
""",
    ),
    (
        "Python",
        "pip install pyqldb boto3, beside this package, which has the models that boto3 lost",
        """
from qldb_emulator.client import driver

with driver("{ledger}", endpoint_url="{url}", region_name="{region}") as ledger:
    print(list(ledger.list_tables()))
""",
    ),
    (
        "Node.js",
        "npm install amazon-qldb-driver-nodejs@3.1.0 @aws-sdk/client-qldb-session@3.918.0",
        """
import http from "node:http";
import {{ QldbDriver }} from "amazon-qldb-driver-nodejs";

const driver = new QldbDriver("{ledger}", {{
  region: "{region}",
  endpoint: "{url}",
  credentials: {{ accessKeyId: "local", secretAccessKey: "local" }},
}}, {{ httpAgent: new http.Agent({{ keepAlive: true }}) }});
console.log(await driver.getTableNames());
""",
    ),
    (
        "Java",
        "software.amazon.qldb:amazon-qldb-driver-java:2.3.1",
        """
QldbDriver driver = QldbDriver.builder()
    .ledger("{ledger}")
    .sessionClientBuilder(QldbSessionClient.builder()
        .region(Region.of("{region}"))
        .endpointOverride(URI.create("{url}"))
        .credentialsProvider(StaticCredentialsProvider.create(
            AwsBasicCredentials.create("local", "local"))))
    .build();
driver.getTableNames().forEach(System.out::println);
""",
    ),
    (
        "Go",
        "go get github.com/awslabs/amazon-qldb-driver-go/v3@v3.0.1; more versions: docs/clients.md",
        """
cfg, _ := config.LoadDefaultConfig(ctx, config.WithRegion("{region}"))
session := qldbsession.NewFromConfig(cfg, func(o *qldbsession.Options) {{
    o.BaseEndpoint = aws.String("{url}")
}})
driver, _ := qldbdriver.New("{ledger}", session, func(*qldbdriver.DriverOptions) {{}})
defer driver.Shutdown(ctx)
""",
    ),
    (
        ".NET",
        "dotnet add package Amazon.QLDB.Driver",
        """
var driver = QldbDriver.Builder()
    .WithLedger("{ledger}")
    .WithAWSCredentials(new BasicAWSCredentials("local", "local"))
    .WithQLDBSessionConfig(new AmazonQLDBSessionConfig {{
        ServiceURL = "{url}", AuthenticationRegion = "{region}" }})
    .Build();
Console.WriteLine(string.Join(", ", driver.ListTableNames()));
""",
    ),
    (
        "AWS CLI 1",
        "pip install 'awscli<2'",
        """
aws --endpoint-url {url} --region {region} qldb describe-ledger --name {ledger}
""",
    ),
    (
        "This project's shell",
        "comes with the server",
        """
qldb-emulator shell {ledger} --url {url}
""",
    ),
)
