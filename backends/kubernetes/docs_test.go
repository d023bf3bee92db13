package kubernetes

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Every label and annotation that Berth writes is documented.
func TestKeysAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := slices.Concat(failedAnnotations, []string{
		labelInstance, labelDeployment, labelName, labelOf, labelVersion, labelManagedBy,
		annotationApp, annotationRelease, annotationFlavour, annotationUser, annotationSource, annotationCommit,
		annotationSpecHash, annotationInputHash, annotationMinReady, annotationRestart, annotationReplicas,
		annotationApplied, annotationGood, annotationVolume, annotationKeep,
		nvidiaMemory, nvidiaFamily, nvidiaCapabilityMajor, nvidiaVersions[0][0], nvidiaVersions[1][0],
		string(resourceNVIDIA), string(resourceAMD), string(resourceIntel),
	})
	for _, key := range keys {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("docs/kubernetes.md does not tell of %s", key)
		}
	}
}
