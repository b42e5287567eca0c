// SPDX-License-Identifier: MIT

package talk

import "strings"

// Lang is a language of the bot.
type Lang string

const (
	English Lang = "en"
	Spanish Lang = "es"
)

// Of returns the text in the language, of English and Spanish.
func (l Lang) Of(both [2]string) string {
	if l == Spanish {
		return both[1]
	}
	return both[0]
}

// Intent is what a guest wants.
type Intent string

const (
	Unknown      Intent = "unknown"
	Book         Intent = "book"
	Hold         Intent = "hold"
	Extend       Intent = "extend"
	Cancel       Intent = "cancel"
	Availability Intent = "availability"
	List         Intent = "list" // the guest's own bookings
	Help         Intent = "help"
	House        Intent = "house" // prices, meals, a person: what this bot does not know
	Yes          Intent = "yes"
	No           Intent = "no" // of "no" and "do not cancel" alike: nothing is to be done
)

// Intents lists all intents.
func Intents() []Intent {
	return []Intent{Cancel, Extend, Hold, Book, Availability, House, List, Yes, No, Help, Unknown}
}

// lexicon lists words and phrases by class, English and Spanish, as they look
// after fold. "|" separates words with one meaning. "," separates meanings,
// which are numbered from 0. A second meaning of a verb is a doubtful one: it
// is asked about before anything is done.
var lexicon = map[string][2]string{
	"book": {"book|bok|reserve|confirm|a booking|a reservation|new booking|make booking|booking for|reservation for|ill take|i will take",
		"reservar|reserva|reserve|reservame|reservala|reservela|reserveme|confirmar|confirma|confirmo|confirme|una reserva|una reservacion, reserves|reservo|reserven|reservando"},
	"hold": {"hold|keep|on hold|put aside|set aside",
		"guarda|guardar|guardame|guardeme|guarde|guardala|aparta|apartar|apartame|aparteme|apartala, guardes|apartes|guardo"},
	"extend": {"extend|prolong|extension|need longer|need more time|want more time|some more time|more time please",
		"extiende|extender|extienda|amplia|ampliar|ampliame|amplie|prolonga|prolongar|mas tiempo, amplies|extiendas|prolongues"},
	"cancel": {"cancel|cancle|annul|call off, drop|release|free my|free up|give up|give back|undo|delete my|remove my",
		"cancela|cancelar|cancele|cancelame|cancelala|cancelo|anula|anular|anule|anulame|anulala|anulo, canceles|anules|libera|liberar|suelta|borra|borrar"},
	"free": {"free|available|availability|vacancy|vacancies|any rooms|anything for|got anything|rooms left|room left|what rooms|which rooms|list rooms|show rooms",
		"libre|libres|disponible|disponibles|disponibilidad|que habitaciones|hay habitaciones|hay habitacion|hay cuartos|hay sitio|hay algo|quedan habitaciones"},
	"list": {"my booking|my bookings|my reservation|my reservations|the booking|the reservation|bookings|reservations|booking|reservation|your booking|my stay|my stays|my holds|did i book|have i booked|did i reserve|am i booked|i booked|ive booked|i have booked|do i have|status",
		"mis reservas|mi reserva|la reserva|las reservas|reservas|mis reservaciones|mi reservacion|mi estancia|que tengo|que reserve|que he reservado|tengo reservado|estado"},
	"held": {"my hold|the hold|that hold|this hold", "mi espera|la espera|lo guardado"},
	"help": {"help|hello|hi|hey|good morning|good afternoon|good evening|what can you do|what can i do|how does this work|how does booking work",
		"ayuda|hola|buenas|buenos dias|buenas tardes|buenas noches|que puedes hacer|como funciona"},
	"house": {"price|prices|cost|costs|how much|rate|rates|cheap|cheapest|pet|pets|dog|dogs|view|breakfast|parking|wifi|pool|gym|spa|smoking|weather|human|agent|a person|manager|reception|refund|invoice|payment|pay|balcony|discount|airport|taxi|dinner|restaurant|bathroom|address|where are you|talk to|speak to|free of charge|feel free|upgrade",
		"precio|precios|cuesta|cuestan|cuanto cuesta|cuanto vale|tarifa|tarifas|mascota|mascotas|perro|vista|vistas|desayuno|aparcamiento|piscina|gimnasio|humano|una persona|hablar con|agente|factura|pago|pagar|fumar|descuento|aeropuerto|cena|restaurante|direccion"},
	"want": {"want|need|get|would like|id like|can i have|could i have|may i have|looking for|wanna|give me|stay|staying|sleep",
		"quiero|quisiera|necesito|querria|busco|deseo|dame|deme|me gustaria"},
	"yes": {"yes|yep|yeah|yup|ok|okay|sure|of course|please do|do it|do that|go ahead|right|correct|exactly|fine|agreed|thats right|sounds good|perfect",
		"si|vale|claro|de acuerdo|adelante|correcto|exacto|hazlo|por supuesto|desde luego|perfecto|eso es"},
	"neg": {"no|noo|non|nein|nay|not|dont|donot|dnt|nt|don t|never|nope|nah|cannot|cant|wont|isnt|arent|doesnt|didnt|wouldnt|shouldnt|couldnt|mustnt|without|neither|nor|none|nothing|stop|avoid|refuse|forget|never mind|nevermind|rather than|instead of|leave it|unable|against",
		"no|nunca|jamas|ni|tampoco|nada|sin|ninguna|ninguno|dejalo|olvidalo|olvida|evita|evitar|en vez de|en lugar de"},
	"doubt": {"a book|the book|this book|that book|if|maybe|perhaps|later|might|unless|whether|before|after|around|approximately|thinking|wondering|wonder|considering|suppose|example|said|says|told|tried|forgot|wanted|used to|was|were|had|hope|wish|when|possibly|probably|should|soon|someday|eventually|almost|either|except|imagine|once i|once we|other|somebody|someone|not sure",
		"quiza|quizas|tal vez|acaso|luego|mas tarde|despues|antes|depende|dudo|creo|pensando|dijo|cuando|excepto|salvo|ejemplo|ojala|mejor|alguien"},
	"or": {"or", "o|u"},
	"ask": {"can i|could i|may i|can we|could we|can you|could you|would you|will you|what|whats|which|how|where|why|who|should i|shall i|am i|are you|is there|are there|do you|does|did|is it|how many",
		"puedo|podria|puede|puedes|podemos|cual|cuales|cuanto|cuanta|cuantos|cuantas|como|donde|quien|debo"},
	"askfirst": {"is|are|do|am|will|has|have", "que|hay|es|esta|estan|has|he"},
	"but":      {"but|then", "pero|sino"},
	"and":      {"and|&|plus", "y|e"},
	"polite":   {"please|pls|thanks|thank you|thank you very much|thank you so much|thanks a lot|thx|bye|goodbye|good night|cheers|many thanks|great|hold on|wait|a moment|one moment|a second|one second", "por favor|porfa|gracias|muchas gracias|adios|hasta luego|de nada|espera"},

	"room":  {"room|rm|room number|room no|room nr", "habitacion|hab|cuarto|habitacion numero|pieza"},
	"rooms": {"rooms", "habitaciones|cuartos"},
	"many":  {"all|both|both rooms|all rooms|every room|all of them|everything|each", "ambas|ambos|todas|todos|todo"},
	"any":   {"any room|any|whichever|anything|any one", "cualquiera|cualquier habitacion|cualquier"},
	"another": {"another room|another one|another|other room|a different room|different room|different one|any other|any other room|something else|the other one",
		"otra habitacion|otra|otro cuarto|otro|cualquier otra|una distinta"},

	"int": {"zero, one, two|couple of|a couple of, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty, twenty one, twenty two, twenty three, twenty four, twenty five, twenty six, twenty seven, twenty eight, twenty nine, thirty, thirty one",
		"cero, uno, dos|un par de, tres, cuatro, cinco, seis, siete, ocho, nueve, diez, once, doce, trece, catorce, quince, dieciseis, diecisiete, dieciocho, diecinueve, veinte, veintiuno|veintiuna|veintiun, veintidos, veintitres, veinticuatro, veinticinco, veintiseis, veintisiete, veintiocho, veintinueve, treinta, treinta y uno|treinta y una"},
	"nth": {"-, first|former, second|latter, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, eleventh, twelfth, thirteenth, fourteenth, fifteenth, sixteenth, seventeenth, eighteenth, nineteenth, twentieth, twenty first, twenty second, twenty third, twenty fourth, twenty fifth, twenty sixth, twenty seventh, twenty eighth, twenty ninth, thirtieth, thirty first",
		"-, primero|primera, segundo|segunda, tercero|tercera"},
	"a":       {"-, a|an", "-, un|una"},
	"half":    {"half|and a half", "medio|media|y media|y medio"},
	"night":   {"night|nite", "noche"},
	"nights":  {"nights|nites", "noches"},
	"days":    {"day|days", "dia|dias"},
	"week":    {"week|weeks", "semana|semanas"},
	"months":  {"month|months", "mes|meses"},
	"weekend": {"weekend", "fin de semana|finde"},
	"month": {"-, january|jan, february|feb, march, april|apr, may, june|jun, july|jul, august|aug, september|sep|sept, october|oct, november|nov, december|dec",
		"-, enero|ene, febrero, marzo, abril|abr, mayo, junio, julio, agosto|ago, septiembre|setiembre, octubre, noviembre, diciembre|dic"},
	"weekday": {"sunday|sun|sundays, monday|mon, tuesday|tue|tues, wednesday|wed, thursday|thu|thurs, friday|fri, saturday|sat",
		"domingo, lunes, martes, miercoles, jueves, viernes, sabado"},
	"relative": {"today, tomorrow|tmrw|tomorow, day after tomorrow|the day after tomorrow, yesterday|last night",
		"hoy, manana, pasado manana, ayer|anoche"},
	"tonight": {"tonight|this evening", "esta noche"},
	"next":    {"next|coming", "proximo|proxima|que viene"},
	"this":    {"this", "este|esta semana"},
	"in":      {"in", "dentro de|en"},
	"from":    {"from|starting|beginning|since|arriving|arrive|check in|checking in, between", "del|desde|llego|llegando, entre"},
	"to":      {"to|until|till|til|leaving|checkout|check out|checking out|departing|ending, through|thru", "al|hasta|saliendo|salgo|salida"},
	"for":     {"for", "para|por"},
	"people":  {"people|persons|person|adults|adult|guests|guest|children|child|kids|kid|pax|babies|baby", "personas|persona|adultos|adulto|huespedes|huesped|ninos|nino|ninas|nina"},
	"age":     {"age|aged|years old", "anos|edad"},
	"money":   {"euros|euro|eur|dollars|dollar|usd|pounds|bucks", "pesos|dolares"},
	"more":    {"more|extra|additional", "mas|adicional|adicionales"},
	"minutes": {"minutes|minute|min|mins", "minutos|minuto"},
	"daytime": {"in the morning|in the afternoon|in the evening|at noon", "por la manana|de la manana|por la tarde|de la tarde"},
	"glue":    {"the|of|on|at|oclock", "de|el|la|los|las"},
	"change":  {"change|move|modify|switch", "cambia|cambiar|cambiala|cambialo|mueve|modifica|modificar"},
	// These change nothing. A word that is not listed at all is a reason to ask.
	"": {"once more|once again|i|im|you|we|us|it|me|my|our|with|that|there|here|so|just|only|now|also|too|as well|again|actually|instead|kindly|really|very|be|by|put|make|made|lets|let|show|tell|give|make it|dear|sir|madam|hotel|guy|way|one of them|starting on|staying for",
		"me|mi|yo|lo|le|nos|se|su|con|para que|muy|solo|ahora|aqui|tambien|hacer|haz|hazme|ponme|senor|senora"},
}

type entry struct {
	class string
	n     int
	lang  Lang // "" = both
}

var entries = func() map[string]entry {
	all := make(map[string]entry)
	for class, both := range lexicon {
		for i, lang := range []Lang{English, Spanish} {
			for n, meaning := range strings.Split(both[i], ", ") {
				for word := range strings.SplitSeq(meaning, "|") {
					e := entry{class, n, lang}
					if other, twice := all[word]; twice && other.lang != lang {
						e.lang = ""
					}
					all[word] = e
				}
			}
		}
	}
	return all
}()

var monthNames = map[Lang][12]string{
	English: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	Spanish: {"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"},
}
