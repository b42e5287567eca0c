// SPDX-License-Identifier: MIT

package memsession_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func Example() {
	notes, err := session.New(memsession.New(), session.Config[string]{Name: "notes"})
	if err != nil {
		log.Fatal(err)
	}
	s, err := notes.Create(context.Background(), "milk")
	fmt.Println(s.Data, err)
	// Output: milk <nil>
}
