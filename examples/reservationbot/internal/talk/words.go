// SPDX-License-Identifier: MIT

package talk

import "time"

// Lang is a language of the bot.
type Lang string

const (
	English Lang = "en"
	Spanish Lang = "es"
)

// Intent is what a guest wants.
type Intent string

const (
	Unknown      Intent = "unknown"
	Book         Intent = "book"
	Hold         Intent = "hold"
	Extend       Intent = "extend"
	Cancel       Intent = "cancel"
	Availability Intent = "availability"
	Help         Intent = "help"
)

// Intents lists all intents. Where words of several appear in one message,
// the earlier in this list wins: "extend my hold" is Extend.
func Intents() []Intent {
	return []Intent{Cancel, Extend, Availability, Hold, Book, Help, Unknown}
}

// Words are listed as they look after fold: small letters, no accents.
var intentWords = map[Lang]map[string]Intent{
	English: {
		"book": Book, "booking": Book, "reserve": Book, "reservation": Book, "confirm": Book, "yes": Book,
		"hold": Hold, "keep": Hold,
		"extend": Extend, "extension": Extend, "longer": Extend,
		"cancel": Cancel, "drop": Cancel, "release": Cancel,
		"free": Availability, "available": Availability, "availability": Availability, "vacancies": Availability, "vacancy": Availability,
		"help": Help, "hello": Help, "hi": Help, "hey": Help,
	},
	Spanish: {
		"reserva": Book, "reservar": Book, "reserve": Book, "reservacion": Book, "confirma": Book, "confirmar": Book, "si": Book,
		"guarda": Hold, "guardar": Hold, "guardame": Hold, "aparta": Hold, "apartar": Hold, "apartame": Hold,
		"extiende": Extend, "extender": Extend, "amplia": Extend, "ampliar": Extend, "prolonga": Extend, "prolongar": Extend,
		"cancela": Cancel, "cancelar": Cancel, "anula": Cancel, "anular": Cancel,
		"libre": Availability, "libres": Availability, "disponible": Availability, "disponibles": Availability, "disponibilidad": Availability,
		"ayuda": Help, "hola": Help, "buenas": Help,
	},
}

// otherWords only tell the language.
var otherWords = map[Lang][]string{
	English: {"the", "a", "from", "to", "until", "for", "my", "me", "please", "room", "rooms", "night", "nights", "is", "are", "which", "what", "and"},
	Spanish: {"el", "la", "los", "las", "de", "del", "al", "hasta", "para", "mi", "por", "favor", "habitacion", "habitaciones", "cuarto", "noche", "noches", "que", "hay", "esta", "y"},
}

var roomWords = set("room", "habitacion", "cuarto")

var nightWords = set("night", "nights", "noche", "noches")

var toWords = set("to", "until", "till", "al", "a", "hasta")

var smallNumbers = map[string]int{
	"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
	"un": 1, "una": 1, "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7,
}

var relativeDays = map[string]int{"today": 0, "tonight": 0, "tomorrow": 1, "hoy": 0, "manana": 1}

var weekdays = map[string]time.Weekday{
	"sunday": 0, "monday": 1, "tuesday": 2, "wednesday": 3, "thursday": 4, "friday": 5, "saturday": 6,
	"domingo": 0, "lunes": 1, "martes": 2, "miercoles": 3, "jueves": 4, "viernes": 5, "sabado": 6,
}

var monthNames = map[Lang][12]string{
	English: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	Spanish: {"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"},
}

var months = func() map[string]time.Month {
	all := make(map[string]time.Month)
	for _, names := range monthNames {
		for i, name := range names {
			all[fold(name)] = time.Month(i + 1)
		}
	}
	return all
}()

func set(words ...string) map[string]bool {
	all := make(map[string]bool)
	for _, w := range words {
		all[w] = true
	}
	return all
}
