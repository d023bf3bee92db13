package schema

import (
	"os"
	"testing"
)

const benchApp = `identifier: org.stardist
version: 0.4.10
name: StarDist
description: Object detection with star-convex shapes
author: Example Lab
scopes: [read]
channels: [stable]
flavours:
  - name: cuda
    image: docker.io/stardist/stardist:0.4.10-cuda
    priority: 1
    selectors:
      - {kind: cuda, cudaVersion: "11.2", memory: 8GB}
      - {kind: ram, min: 8GB, required: false, weight: 2}
    command: [python, -m, stardist]
    env: {LOG_LEVEL: info}
  - name: cpu
    image: docker.io/stardist/stardist:0.4.10
    priority: 2
`

const benchDeployment = `kind: Deployment
name: stardist-john
app: org.stardist
version: ^0.4
user: john
scopes: [read]
env: {LOG_LEVEL: info}
ports: ["8080:80"]
volumes: ["data:/data"]
resources: {cpu: 2, memory: 4GB}
rollout: {strategy: rolling, timeout: 2m, rollback: true}
`

func BenchmarkDecodeApp(b *testing.B) {
	data := []byte(benchApp)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, problems := DecodeAppFile("manifest.yaml", data); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

func BenchmarkDecodeDeployment(b *testing.B) {
	data := []byte(benchDeployment)
	b.ReportAllocs()
	for b.Loop() {
		if f := DecodeDesired("f.yaml", data); len(f.Problems) > 0 {
			b.Fatal(f.Problems)
		}
	}
}

func BenchmarkParseYAML(b *testing.B) {
	data := []byte(benchApp)
	b.ReportAllocs()
	for b.Loop() {
		ParseYAML("manifest.yaml", data)
	}
}

func BenchmarkDecodeEveryField(b *testing.B) {
	data, err := os.ReadFile("testdata/valid/app-full.yaml")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		DecodeAppFile("manifest.yaml", data)
	}
}
