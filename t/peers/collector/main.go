// The OpenTelemetry Collector, with what the tests need of it: the receivers of OTLP and
// of files of logs, the storage of how far they were read, and the exporter that writes what came as OTLP's own JSON, a line for every request. Of
// itself it tells nothing.
package main

import (
	"log"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/filelogreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry"
)

func factories() (otelcol.Factories, error) {
	otlp, file, logs := otlpreceiver.NewFactory(), fileexporter.NewFactory(), filelogreceiver.NewFactory()
	storage := filestorage.NewFactory()

	return otelcol.Factories{
		Receivers:  map[component.Type]receiver.Factory{otlp.Type(): otlp, logs.Type(): logs},
		Exporters:  map[component.Type]exporter.Factory{file.Type(): file},
		Extensions: map[component.Type]extension.Factory{storage.Type(): storage},
		Telemetry:  telemetry.NewFactory(func() component.Config { return &struct{}{} }),
	}, nil
}

func main() {
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Version: "test"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				DefaultScheme:     "file",
				ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
			},
		},
	})

	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}
