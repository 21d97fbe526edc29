#include "role/keeper/network.h"

#include <arpa/inet.h>
#include <string.h>

void network_of(span_t client, uint8_t network[NETWORK_SIZE])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN + 1] = {0};
    uint8_t address[16];
    memset(network, 0, NETWORK_SIZE);
    if (client.len >= sizeof(text))
        return;
    if (client.len > 0)
        memcpy(text, client.at, client.len);
    if (inet_pton(AF_INET, text, address) == 1) {
        network[0] = 4;
        memcpy(network + 1, address, 3);
    } else if (inet_pton(AF_INET6, text, address) == 1 && memcmp(address, mapped, sizeof(mapped)) == 0) {
        network[0] = 4;
        memcpy(network + 1, address + 12, 3);
    } else if (inet_pton(AF_INET6, text, address) == 1) {
        network[0] = 6;
        memcpy(network + 1, address, 8);
    }
}
