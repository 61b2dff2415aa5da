/*
 * Virtual readers as YubiKeys show themselves: each has one slot and a number of its own, pcscd learns within 25 ms of
 * a card that comes or goes, and takes its power away 5 s after the last program, as with real keys.
 *
 * vpcd alone shows two slots for each reader, keeps both in static memory, so that a second reader would overwrite the
 * first, and is asked for a card every 400 ms. This driver stands between pcscd and one copy of vpcd for each reader:
 * libifdvpcd.so.0, libifdvpcd.so.1 and so on, in the folder of this library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ifdhandler.h>

#define MOST_READERS 16
#define LOOK_AGAIN_MS 25

struct reader {
	void *driver;
	RESPONSECODE told;      /* what pcscd was told last of the card's presence */
	pthread_mutex_t in_use; /* vpcd has no lock of its own, and looking for the card is a conversation with it */
};

static struct reader readers[MOST_READERS];

/* pcscd puts the number of the reader into the upper half and the slot, always 0, into the lower. */
static struct reader *reader_of(DWORD lun)
{
	DWORD number = lun >> 16;
	return number < MOST_READERS && readers[number].driver ? &readers[number] : NULL;
}

static RESPONSECODE open_driver(DWORD lun)
{
	DWORD number = lun >> 16;
	char path[1024];
	Dl_info own;

	if (number >= MOST_READERS || !dladdr((void *)open_driver, &own))
		return IFD_COMMUNICATION_ERROR;
	const char *folder_end = strrchr(own.dli_fname, '/');
	int folder = folder_end ? (int)(folder_end - own.dli_fname) : 0;
	snprintf(path, sizeof path, "%.*s/libifdvpcd.so.%lu", folder, own.dli_fname, number);
	pthread_mutex_init(&readers[number].in_use, NULL);
	readers[number].driver = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	return readers[number].driver ? IFD_SUCCESS : IFD_COMMUNICATION_ERROR;
}

/* Calls the reader's own vpcd, one call at a time. */
#define FORWARD(name, types, ...)                                                  \
	do {                                                                       \
		struct reader *reader = reader_of(lun);                            \
		RESPONSECODE(*call) types = reader ? dlsym(reader->driver, #name) : NULL; \
		if (!call)                                                         \
			return IFD_COMMUNICATION_ERROR;                            \
		pthread_mutex_lock(&reader->in_use);                               \
		RESPONSECODE result = call(0, __VA_ARGS__);                        \
		pthread_mutex_unlock(&reader->in_use);                             \
		return result;                                                     \
	} while (0)

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR name)
{
	if (open_driver(lun) != IFD_SUCCESS)
		return IFD_COMMUNICATION_ERROR;
	FORWARD(IFDHCreateChannelByName, (DWORD, LPSTR), name);
}

RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel)
{
	if (open_driver(lun) != IFD_SUCCESS)
		return IFD_COMMUNICATION_ERROR;
	FORWARD(IFDHCreateChannel, (DWORD, DWORD), channel);
}

/* A call that has no argument but the reader. */
static RESPONSECODE plain(DWORD lun, const char *name)
{
	struct reader *reader = reader_of(lun);
	RESPONSECODE (*call)(DWORD) = reader ? dlsym(reader->driver, name) : NULL;
	if (!call)
		return IFD_COMMUNICATION_ERROR;
	pthread_mutex_lock(&reader->in_use);
	RESPONSECODE result = call(0);
	pthread_mutex_unlock(&reader->in_use);
	return result;
}

RESPONSECODE IFDHCloseChannel(DWORD lun)
{
	return plain(lun, "IFDHCloseChannel");
}

RESPONSECODE IFDHICCPresence(DWORD lun)
{
	RESPONSECODE result = plain(lun, "IFDHICCPresence");
	struct reader *reader = reader_of(lun);
	if (reader)
		reader->told = result;
	return result;
}

/* Returns when the card is there or not other than pcscd was told last, or after the time that pcscd gives. */
static RESPONSECODE wait_for_change(DWORD lun, int timeout_ms)
{
	for (int waited = 0; waited < timeout_ms; waited += LOOK_AGAIN_MS) {
		struct reader *reader = reader_of(lun);
		if (!reader || plain(lun, "IFDHICCPresence") != reader->told)
			break;
		usleep(LOOK_AGAIN_MS * 1000);
	}
	return IFD_SUCCESS;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value)
{
	switch (tag) {
	case TAG_IFD_SLOTS_NUMBER:
	case TAG_IFD_THREAD_SAFE:
	case TAG_IFD_SLOT_THREAD_SAFE:
	case TAG_IFD_POLLING_THREAD_KILLABLE:
		*length = 1;
		*value = 1;
		return IFD_SUCCESS;
	case TAG_IFD_SIMULTANEOUS_ACCESS:
		*length = 1;
		*value = MOST_READERS;
		return IFD_SUCCESS;
	case TAG_IFD_POLLING_THREAD_WITH_TIMEOUT: {
		RESPONSECODE (*wait)(DWORD, int) = wait_for_change;
		*length = sizeof wait;
		memcpy(value, &wait, sizeof wait);
		return IFD_SUCCESS;
	}
	}
	FORWARD(IFDHGetCapabilities, (DWORD, DWORD, PDWORD, PUCHAR), tag, length, value);
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value)
{
	FORWARD(IFDHSetCapabilities, (DWORD, DWORD, DWORD, PUCHAR), tag, length, value);
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3)
{
	FORWARD(IFDHSetProtocolParameters, (DWORD, DWORD, UCHAR, UCHAR, UCHAR, UCHAR), protocol, flags, pts1, pts2, pts3);
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD length)
{
	FORWARD(IFDHPowerICC, (DWORD, DWORD, PUCHAR, PDWORD), action, atr, length);
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send, PUCHAR out, DWORD out_length, PUCHAR in,
			       PDWORD in_length, PSCARD_IO_HEADER receive)
{
	FORWARD(IFDHTransmitToICC, (DWORD, SCARD_IO_HEADER, PUCHAR, DWORD, PUCHAR, PDWORD, PSCARD_IO_HEADER), send, out,
		out_length, in, in_length, receive);
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR out, DWORD out_length, PUCHAR in, DWORD in_length,
			 LPDWORD returned)
{
	FORWARD(IFDHControl, (DWORD, DWORD, PUCHAR, DWORD, PUCHAR, DWORD, LPDWORD), code, out, out_length, in, in_length,
		returned);
}
